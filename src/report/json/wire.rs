//! The shape of the JSON report: names and units as programs see them.
//!
//! Not a domain type, and nothing reads these but serde. Filled by `json/fill.rs`. A field is documented in
//! `docs/json.md`, which a test compares with what is written.

use serde::ser::{Serialize, SerializeMap as _, Serializer};

/// An object whose keys are names of services, sources or settings, in their order.
#[derive(Debug)]
pub(super) struct Map<T>(pub(super) Vec<(String, T)>);

impl<T: Serialize> Serialize for Map<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
        map.end()
    }
}

/// A number that is always finite: JSON has no other, and serde would write `null`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finite(pub(super) f64);

impl Serialize for Finite {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = if self.0.is_nan() { 0.0 } else { self.0.clamp(f64::MIN, f64::MAX) };
        serializer.serialize_f64(value)
    }
}

/// Structs of public fields that serde writes.
macro_rules! wire {
    ($($name:ident { $($(#[$meta:meta])* $field:ident: $kind:ty,)+ })+) => {$(
        #[derive(Debug, serde::Serialize)]
        pub(super) struct $name { $($(#[$meta])* pub(super) $field: $kind,)+ }
    )+};
}

wire! {
    Document {
        schema: &'static str,
        program_version: &'static str,
        scenario: Scenario,
        engine: String,
        seed: u64,
        speed: Finite,
        duration_s: Finite,
        starvation_after_s: Finite,
        interrupted: bool,
        verdict: String,
        notices: Vec<Notice>,
        assumptions: Vec<Assumption>,
        variants: Vec<Variant>,
        precision: Option<Precision>,
    }
    Precision {
        asked_percent: Finite,
        figures: Vec<String>,
        reached: bool,
        runs: u64,
        runs_most: u64,
        wide: Vec<Wide>,
        zero: Vec<Zero>,
    }
    Wide {
        variant: String,
        figure: String,
        relative_percent: Finite,
    }
    Zero {
        variant: String,
        figure: String,
    }
    Warmup {
        rule: &'static str,
        length_s: Finite,
        measured_s: Finite,
        pilot: Option<Pilot>,
    }
    Pilot {
        runs: u32,
        bin_s: Finite,
        outcome: &'static str,
        settled_after_s: Option<Finite>,
    }
    MeanInterval {
        half_width_us: Option<Finite>,
        batches: u32,
        batch_items: u64,
        utilisation: Finite,
        trustworthy: bool,
        doubt: Option<&'static str>,
    }
    Scenario {
        title: String,
        file: String,
    }
    Notice {
        gravity: &'static str,
        code: String,
        text: String,
        remedy: String,
    }
    Assumption {
        name: &'static str,
        value: String,
        choices: &'static str,
        why: &'static str,
        source: &'static str,
    }
    Variant {
        name: String,
        verdict: Verdict,
        registry: Vec<RegistryValue>,
        machine: Machine,
        pool: Pool,
        assumptions: Map<String>,
        services: Map<Service>,
        journeys: Map<Journeys>,
        asserts: Vec<Assert>,
        host: Option<Host>,
        end_s: Finite,
        warmup: Warmup,
        live_threads_max: u32,
        threads_refused: u32,
        panics: u64,
        timeline: Timeline,
        interrupted: bool,
        trace: Vec<String>,
        violations: Vec<String>,
        replications: Option<Replications>,
        agreement: Option<Map<Agreement>>,
        // A report without a cluster is the same, byte by byte, as before there were clusters.
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster: Option<super::cluster::Cluster>,
        // So is one without limits beside the pool.
        #[serde(skip_serializing_if = "Option::is_none")]
        store: Option<super::limits::Store>,
        #[serde(skip_serializing_if = "Option::is_none")]
        domains: Option<super::limits::Domains>,
        #[serde(skip_serializing_if = "Option::is_none")]
        transport: Option<super::transport::Transport>,
    }
    Agreement {
        arrivals: Pair,
        wait_mean_us: Pair,
        wait_p99_us: Pair,
        service_mean_us: Pair,
        starved_percent: Pair,
    }
    Pair {
        threads: Finite,
        in_virtual_time: Finite,
    }
    Replications {
        seeds: Vec<u64>,
        services: Map<Estimates>,
        journeys: Map<JourneyEstimates>,
        run: JourneyEstimates,
    }
    Estimates {
        estimates: Map<Estimate>,
        difference_to_first: Map<Estimate>,
        merged_wait_us: Latency,
    }
    JourneyEstimates {
        estimates: Map<Estimate>,
        difference_to_first: Map<Estimate>,
    }
    Estimate {
        mean: Finite,
        half_width: Finite,
        not_zero: u64,
        trustworthy: bool,
        doubt: Option<&'static str>,
    }
    Assert {
        text: String,
        why: String,
        service: Option<String>,
        operator: String,
        allowed: Finite,
        found: Option<Finite>,
        interval: Option<Vec<Finite>>,
        unit: &'static str,
        passed: bool,
    }
    Verdict {
        state: &'static str,
        settings: String,
        text: String,
    }
    RegistryValue {
        name: &'static str,
        key: &'static str,
        data: u32,
        origin: String,
    }
    Machine {
        processors: u32,
        memory_mb: u64,
        smtp_virtual_servers: u32,
    }
    Pool {
        size: u32,
        wanted: u64,
        limit: u32,
        limit_source: String,
        base_per_processor: u32,
        additional_per_processor: u32,
        starts_counted: u32,
        percent: u32,
        heavy_queue_cap: u32,
        light_queue_cap: u32,
        heavy_queues: u32,
        heavy_request_total: u32,
        left_for_others: u32,
        max_concurrency: u32,
        runnable_limit: u32,
        thread_timeout_s: u32,
        steps: Vec<String>,
    }
    Service {
        role: &'static str,
        arrivals: u64,
        served: u64,
        gave_up: u64,
        refused: u64,
        lost: u64,
        unfinished: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        cut: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        unreachable: Option<u64>,
        wait_us: Latency,
        wait_mean_interval: MeanInterval,
        served_wait_us: Latency,
        gave_up_wait_us: Latency,
        service_us: Latency,
        wait_histogram: Histogram,
        starved_percent: Finite,
        shut_out_percent: Finite,
        starved_s: Finite,
        shut_out_s: Finite,
        episode_count: u64,
        longest_episode_s: Finite,
        episodes: Vec<Episode>,
        holders: Vec<Holder>,
        thread_seconds: Finite,
        pool_percent: Finite,
        busy_max: u32,
        waiting_max: u64,
        mean_waiting: Finite,
        waiting_trend_per_hour: Finite,
        still_waiting: u64,
        oldest_waiting_s: Option<Finite>,
        thread_requests: ThreadRequests,
    }
    Latency {
        count: u64,
        mean: Finite,
        p50: Finite,
        p90: Finite,
        p99: Finite,
        p999: Finite,
        max: Finite,
    }
    Histogram {
        buckets: Vec<Bucket>,
        hdr: String,
    }
    Bucket {
        from_us: u64,
        to_us: u64,
        count: u64,
    }
    Episode {
        start_s: Finite,
        length_s: Finite,
        shut_out_s: Finite,
        waited: u64,
        holders: Vec<Holder>,
    }
    Holder {
        service: String,
        thread_seconds: Finite,
        percent: Finite,
    }
    ThreadRequests {
        requested: u32,
        granted: u32,
        stale_grants: u64,
    }
    Journeys {
        completed: u64,
        cut: u64,
        total_us: Latency,
    }
    Host {
        verdict: &'static str,
        reasons: Vec<String>,
        speed: Finite,
        wall_s: Finite,
        lateness_us: Spread,
        overshoot_us: Spread,
        hiccup_us: HiccupSpread,
        service_inflation: Finite,
        wait_inflation: Finite,
        longest_stall_emulated_s: Finite,
        utilisation: Finite,
        involuntary_switches: u64,
        steal_s: Finite,
        load_average_before: Finite,
        load_average_after: Finite,
        host_processors: u32,
        behind_s: f64,
    }
    Spread {
        count: u64,
        p50: Finite,
        p99: Finite,
        max: Finite,
    }
    HiccupSpread {
        count: u64,
        p50: Finite,
        p999: Finite,
        max: Finite,
    }
    Timeline {
        at_s: Vec<Finite>,
        live_threads: Vec<u32>,
        services: Map<ServiceTimeline>,
    }
    ServiceTimeline {
        waiting: Vec<u64>,
        busy: Vec<u32>,
        oldest_wait_s: Vec<Finite>,
    }
}
