"""Decodes a Perfetto trace with Perfetto's own published protobuf classes and holds it against the JSON report of its run.

Usage: check.py TRACE.pftrace REPORT.json [TOLERANCE_S]

Exit code 0: everything agrees. TOLERANCE_S is how far thread-seconds may be apart (real threads; 1e-5 s in virtual time).
"""

import json
import sys
from collections import defaultdict

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent


def fail(text):
    print(f"perfetto: {text}")
    sys.exit(1)


def decode(path):
    """Tracks by uuid, and (timestamp, type, track uuid, name, category, annotations) in the file's order."""
    trace = Trace()
    with open(path, "rb") as file:
        trace.ParseFromString(file.read())
    tracks, events = {}, []
    names, categories, annotations = {}, {}, {}
    for packet in trace.packet:
        if packet.sequence_flags & 1:
            names, categories, annotations = {}, {}, {}
        for known, interned in (
            (names, packet.interned_data.event_names),
            (categories, packet.interned_data.event_categories),
            (annotations, packet.interned_data.debug_annotation_names),
        ):
            known.update((one.iid, one.name) for one in interned)
        if packet.HasField("track_descriptor"):
            tracks[packet.track_descriptor.uuid] = packet.track_descriptor
        if packet.HasField("track_event"):
            event = packet.track_event
            if event.track_uuid not in tracks:
                fail(f"an event is on track {event.track_uuid}, which is not described before it")
            name = names[event.name_iid] if event.name_iid else None
            category = categories[event.category_iids[0]] if event.category_iids else None
            notes = {}
            for note in event.debug_annotations:
                notes[annotations[note.name_iid]] = getattr(note, note.WhichOneof("value"))
            events.append((packet.timestamp, event.type, event.track_uuid, name, category, notes, event.counter_value))
    return tracks, events


def slices_of(events):
    """Slices by track, in order of time. They never overlap: trace_processor would nest them."""
    by_track = defaultdict(list)
    for event in events:
        if event[1] in (TrackEvent.TYPE_SLICE_BEGIN, TrackEvent.TYPE_SLICE_END):
            by_track[event[2]].append(event)
    slices = defaultdict(list)
    for track, own in by_track.items():
        own.sort(key=lambda event: event[0])  # stable, as trace_processor's
        open_slice = None
        for at, kind, _, name, category, notes, _ in own:
            if kind == TrackEvent.TYPE_SLICE_BEGIN:
                if open_slice is not None:
                    fail(f"track {track}: {name} begins at {at} within {open_slice}")
                open_slice = (at, name, category, notes)
            else:
                if open_slice is None:
                    fail(f"track {track}: a slice ends at {at} and none is open")
                slices[track].append((open_slice[0], at, *open_slice[1:]))
                open_slice = None
        if open_slice is not None:
            fail(f"track {track}: {open_slice} never ends")
    return slices


def check_variant(variant, own, slices, events, tracks, tolerance_s):
    """One variant's report against its processes' tracks."""
    held, begun = defaultdict(int), defaultdict(int)
    for uuid in own:
        if tracks[uuid].HasField("thread"):
            for begin, end, name, _, notes in slices.get(uuid, []):
                held[name] += end - begin
                begun[name] += 1
                # Both are whole microseconds, rounded down.
                if abs(notes["wait_us"] - (begin // 1000 - notes["queued_us"])) > 1:
                    fail(f"{name}: item {notes['item']} waited {notes['wait_us']} us since {notes['queued_us']} us")
    warm = variant["warmup"]["length_s"] > 0
    for name, service in variant["services"].items():
        seconds = held[name] / 1e9
        if not warm and abs(seconds - service["thread_seconds"]) > tolerance_s:
            fail(f"{variant['name']}: {name} held threads for {seconds} s, and for {service['thread_seconds']} s in the report")
        in_service = service["unfinished"] - service["still_waiting"]
        ended = service["served"] + service["lost"] + in_service
        # At the end of a run on real threads a thread may have been given an item that it has not begun yet.
        between = variant["live_threads_max"] if tolerance_s > 1e-3 else 0
        if not warm and "cluster" not in variant and abs(begun[name] - ended) > between:
            fail(f"{variant['name']}: {begun[name]} slices of {name}, and {ended} were begun in the report")
        told = []
        for uuid in own:
            if tracks[uuid].name == f"starvation of {name}":
                told += [(begin, end) for begin, end, *_ in slices.get(uuid, [])]
        expected = [(e["start_s"], e["length_s"]) for e in service["episodes"]]
        if [(round(b / 1e9, 6), round((e - b) / 1e9, 6)) for b, e in told] != [(round(s, 6), round(l, 6)) for s, l in expected]:
            fail(f"{variant['name']}: the starvation of {name} is {told[:3]}..., in the report {expected[:3]}...")
    instants = sum(1 for e in events if e[2] in own and e[1] == TrackEvent.TYPE_INSTANT and e[3] == "starves")
    refusals = [e for e in events if e[2] in own and e[1] == TrackEvent.TYPE_INSTANT and e[3] == "cap refusal"]
    episodes = sum(len(s["episodes"]) for s in variant["services"].values())
    if instants != episodes:
        fail(f"{variant['name']}: {instants} instants of starvation, {episodes} episodes")
    most = defaultdict(int)
    for at, kind, uuid, *_, value in events:
        if kind == TrackEvent.TYPE_COUNTER and uuid in own:
            most[tracks[uuid].name] = max(most[tracks[uuid].name], value)
    for name, service in variant["services"].items():
        if most[f"waiting: {name}"] > service["waiting_max"]:
            fail(f"{variant['name']}: the counter of {name} is above the most that ever waited")
    refused = sum(e[5]["refused"] for e in refusals)
    print(f"{variant['name']}: {sum(begun.values())} slices, {episodes} episodes, {refused} cap refusals in {len(refusals)} times")


def main(trace, report, tolerance_s=1e-5):
    with open(report, encoding="utf-8") as file:
        report = json.load(file)
    tracks, events = decode(trace)
    slices = slices_of(events)
    processes = {d.process.pid: (u, d.process.process_name) for u, d in tracks.items() if d.HasField("process")}
    for variant in report["variants"]:
        name = variant["name"]
        mine = {pid: uuid for pid, (uuid, called) in processes.items() if called == name or called.startswith(f"{name} on ")}
        if not mine:
            fail(f"{name} has no process")
        own = {u for u, d in tracks.items() if d.parent_uuid in mine.values() or d.HasField("thread") and d.thread.pid in mine}
        check_variant(variant, own, slices, events, tracks, float(tolerance_s))


main(*sys.argv[1:])
