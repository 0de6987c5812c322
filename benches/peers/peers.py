"""The work in SimPy and in Ciw. Run by the crate beside it, which says what the work is:

    peers.py PEER CUSTOMERS SEED THREADS ARRIVALS_PER_S SERVICE_MEAN_S PERCENT:CAP...

Prints a line `VERSION`, a line `SECONDS_WALL SECONDS_CPU`, and for each class `CUSTOMERS MEAN_WAIT_US BUSY_MOST`.
Exit code 3: the peer is not installed. What is timed is the run with its records, not the start of Python.
`peers.py PEER` alone prints the version.
"""

import random
import sys
import time
from collections import deque


class Latency:
    """A histogram with three significant digits, in microseconds: HDR's buckets, in a list that grows."""

    def __init__(self):
        self.counts = [0] * 4096
        self.sum_s = 0.0

    def record(self, seconds):
        self.sum_s += seconds
        value = int(seconds * 1e6)
        shift = value.bit_length() - 11
        at = (shift << 10) + (value >> shift) if shift > 0 else value
        try:
            self.counts[at] += 1
        except IndexError:
            self.counts.extend([0] * (at + 1 - len(self.counts)))
            self.counts[at] += 1


class Figures:
    """The figures of one class."""

    def __init__(self, cap):
        self.cap = cap
        self.wait = Latency()
        self.total = Latency()
        self.served = 0
        self.busy = 0
        self.busy_most = 0


def simpy_one_class(simpy, work, rng):
    """A process for every customer and a resource: SimPy's own way."""
    figures = Figures(work.threads)
    env = simpy.Environment()
    pool = simpy.Resource(env, capacity=work.threads)

    def customer():
        came = env.now
        with pool.request() as request:
            yield request
            figures.wait.record(env.now - came)
            figures.busy_most = max(figures.busy_most, pool.count)
            yield env.timeout(rng.expovariate(1.0 / work.service_mean))
        figures.total.record(env.now - came)
        figures.served += 1

    def source():
        for _ in range(work.customers):
            yield env.timeout(rng.expovariate(work.rate))
            env.process(customer())

    env.process(source())
    env.run()
    return [figures]


def simpy_classes(simpy, work, rng):
    """A process for every customer; no resource of SimPy skips a class at its cap, so the queues are our own."""
    classes = [Figures(cap) for _, cap in work.classes]
    queues = [deque() for _ in classes]
    numbers = range(len(classes))
    weights = [percent for percent, _ in work.classes]
    env = simpy.Environment()
    idle = work.threads

    def customer(which, number):
        nonlocal idle
        came = env.now
        mine = classes[which]
        if idle > 0 and mine.busy < mine.cap:
            idle -= 1
            mine.busy += 1
        else:
            turn = env.event()
            queues[which].append((number, turn))
            yield turn
        mine.wait.record(env.now - came)
        mine.busy_most = max(mine.busy_most, mine.busy)
        yield env.timeout(rng.expovariate(1.0 / work.service_mean))
        mine.total.record(env.now - came)
        mine.served += 1
        mine.busy -= 1
        oldest = None
        for at, queue in enumerate(queues):
            if queue and classes[at].busy < classes[at].cap and (oldest is None or queue[0][0] < queues[oldest][0][0]):
                oldest = at
        if oldest is None:
            idle += 1
        else:
            classes[oldest].busy += 1
            queues[oldest].popleft()[1].succeed()

    def source():
        for number, which in enumerate(rng.choices(numbers, weights, k=work.customers)):
            yield env.timeout(rng.expovariate(work.rate))
            env.process(customer(which, number))

    env.process(source())
    env.run()
    return classes


def run_simpy(simpy, work):
    rng = random.Random(work.seed)
    return (simpy_one_class if len(work.classes) == 1 else simpy_classes)(simpy, work, rng)


def run_ciw(ciw, work):
    """A network of one node. A node of Ciw takes no class that is capped, so there is one class only."""
    assert len(work.classes) == 1
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(rate=work.rate)],
        service_distributions=[ciw.dists.Exponential(rate=1.0 / work.service_mean)],
        number_of_servers=[work.threads],
    )
    ciw.seed(work.seed)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(work.customers, method="Finish")
    figures = Figures(work.threads)
    for record in simulation.get_all_records():
        figures.wait.record(record.waiting_time)
        figures.total.record(record.waiting_time + record.service_time)
        figures.served += 1
    return [figures]


class Work:
    def __init__(self, words):
        self.customers, self.seed, self.threads = (int(word) for word in words[:3])
        self.rate, self.service_mean = (float(word) for word in words[3:5])
        self.classes = [tuple(int(part) for part in word.split(":")) for word in words[5:]]


def main():
    peer = sys.argv[1]
    try:
        module = __import__(peer)
    except ImportError:
        sys.exit(3)
    print(module.__version__)
    if len(sys.argv) == 2:
        return
    work = Work(sys.argv[2:])
    wall, cpu = time.perf_counter(), time.process_time()
    classes = {"simpy": run_simpy, "ciw": run_ciw}[peer](module, work)
    print(time.perf_counter() - wall, time.process_time() - cpu)
    for figures in classes:
        print(figures.served, figures.wait.sum_s * 1e6 / max(figures.served, 1), figures.busy_most)


if __name__ == "__main__":
    main()
