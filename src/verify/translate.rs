//! From a model to a scenario in the project's own language. One unit of a model's time is one emulated second.
//!
//! By features, not by names of cases: arrivals, services, caps, rooms and rules are translated one by one, and what
//! cannot be said is refused. Not the run (`replicate`). Called by `verify`.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::case::Case;

/// A model in the project's language.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What stands behind the line of the duration.
    body: String,
    title: String,
    /// Threads of the pool.
    pub servers: u32,
    /// Class names in order.
    pub classes: Vec<ClassFacts>,
}

/// What the estimators need to know of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassFacts {
    /// Its name.
    pub name: String,
    /// Most threads that it may hold.
    pub cap: u32,
    /// Items that arrive from outside per second, nearly.
    pub rate: f64,
    /// Mean service in seconds.
    pub service: f64,
}

impl Scenario {
    /// The scenario's text for a run of this many nanoseconds.
    #[must_use]
    pub fn text(&self, duration_ns: u64, seed: u64) -> String {
        let duration = time(duration_ns as f64 / 1e9);
        format!("format = 1\ntitle = \"{}\"\nduration = {duration}\nseed = {seed}\n{}", self.title, self.body)
    }
}

type Object = Map<String, Value>;

/// The scenario of a case.
///
/// # Errors
/// Why there is none, in one clause.
pub fn scenario(case: &Case) -> Result<Scenario, String> {
    let model = &case.model;
    let classes = model.get("classes").and_then(Value::as_array).ok_or("the model has no classes")?;
    let classes: Vec<&Object> = classes.iter().filter_map(Value::as_object).collect();
    let servers = whole(model, "servers")?.ok_or("the model has no servers")?;
    let rule = model.get("dispatch").and_then(Value::as_str).unwrap_or("fifo");
    let reserves = classes.iter().any(|class| class.contains_key("start_only_if_idle_gt"));
    let order = match rule {
        "fifo" | "any" | "own_queue_first" | "port_order" => "port",
        "priority" | "cutoff" | "reserve" if reserves => "reserve",
        "priority" => "priority",
        "oldest_eligible" => "oldest-eligible",
        other => return Err(format!("the dispatch rule `{other}` is not known")),
    };
    let drain = if rule == "own_queue_first" { "until-empty" } else { "messages-1" };
    let mut body = String::from("starvation_after = \"3650d\"\n\n[node]\n");
    // Services only wait, so that processors never bind; as many as threads keep the port from holding anybody back.
    let _ = writeln!(body, "processors = {}\nthreads = {servers}", servers.clamp(1, 1_024));
    if let Some(room) = whole(model, "waiting_room")? {
        let _ = writeln!(body, "waiting_room = {room}");
    }
    let _ = writeln!(body, "\n[assumptions]\norder = \"{order}\"\ndrain = \"{drain}\"");
    let mut facts = Vec::new();
    for class in &classes {
        facts.push(add_class(&mut body, class, servers, rule, order)?);
    }
    let title = case.summary.replace(['"', '\\'], "'");
    Ok(Scenario { body, title, servers, classes: facts })
}

fn add_class(body: &mut String, class: &Object, servers: u32, rule: &str, order: &str) -> Result<ClassFacts, String> {
    let name = class.get("name").and_then(Value::as_str).ok_or("a class has no name")?;
    let cap = whole(class, "cap")?;
    // A class in turns asks the port for threads even without a cap.
    let queue = cap.is_some() || matches!(rule, "own_queue_first" | "port_order");
    let _ = writeln!(body, "\n[class.\"{name}\"]");
    if queue {
        let _ = writeln!(body, "kind = \"queue\"\ncap = {}", cap.unwrap_or(servers).min(servers));
    }
    if matches!(order, "priority" | "reserve")
        && let Some(priority) = whole(class, "priority")?
    {
        let _ = writeln!(body, "priority = {priority}");
    }
    if let Some(free) = whole(class, "start_only_if_idle_gt")? {
        let _ = writeln!(body, "keep_free = {free}");
    }
    if let Some(room) = whole(class, "waiting_room")?.or(whole(class, "max_waiting")?) {
        let _ = writeln!(body, "max_waiting = {room}");
    }
    let (service, mean) = distribution(object(class, "service")?)?;
    let _ = writeln!(body, "wait = {service}");
    if class.get("patience").is_some_and(|patience| !patience.is_null()) {
        let _ = writeln!(body, "patience = {}", distribution(object(class, "patience")?)?.0);
    }
    if let Some(routes) = class.get("routes").and_then(Value::as_object).filter(|routes| !routes.is_empty()) {
        let branch = |(to, share): (&String, &Value)| Some(format!("\"{to}\" = {}", share.as_f64()?));
        let branches: Option<Vec<String>> = routes.iter().map(branch).collect();
        let _ = writeln!(body, "routes = {{ {} }}", branches.ok_or("a route is no number")?.join(", "));
    }
    let (load, rate) = arrivals(object(class, "arrival")?, mean)?;
    if !load.is_empty() {
        let _ = writeln!(body, "\n[load.\"{name}\"]\nservice = \"{name}\"\n{load}");
    }
    let cap = cap.map_or(servers, |cap| cap.min(servers));
    Ok(ClassFacts { name: name.to_string(), cap, rate, service: mean })
}

/// The lines of a load, and its items per second; no lines where items only come from other classes.
fn arrivals(arrival: &Object, service: f64) -> Result<(String, f64), String> {
    let kind = arrival.get("type").and_then(Value::as_str).unwrap_or_default();
    Ok(match kind {
        "routed" | "none" => (String::new(), 0.0),
        "poisson" => {
            let rate = real(arrival, "rate")?;
            (format!("rate = {rate:?}"), rate)
        }
        "const" => {
            let gap = real(arrival, "interval").or_else(|_| real(arrival, "value"))?;
            (format!("gaps = {}", time(gap)), 1.0 / gap)
        }
        "batch_poisson" => {
            let (rate, size) = (real(arrival, "rate")?, whole(arrival, "size")?.ok_or("a batch has no size")?);
            (format!("rate = {rate:?}\nbatch = {size}"), rate * f64::from(size))
        }
        "closed" => {
            let clients = whole(arrival, "population")?.ok_or("a closed load has no population")?;
            let (think, mean) = distribution(object(arrival, "think")?)?;
            (format!("clients = {clients}\npause = {think}"), f64::from(clients) / (mean + service))
        }
        _ if kind.starts_with("mmpp") => {
            let (rates, leave) = (reals(arrival, "rates")?, reals(arrival, "switch")?);
            if rates.len() != leave.len() || rates.len() < 2 || leave.iter().any(|leave| *leave <= 0.0) {
                return Err("the rates and switches of an mmpp do not match".to_string());
            }
            let state = |(rate, leave): (&f64, &f64)| {
                format!("{{ rate = {rate:?}, holds = {{ mean = {} }} }}", time(1.0 / leave))
            };
            let states: Vec<String> = rates.iter().zip(&leave).map(state).collect();
            let stays: f64 = leave.iter().map(|leave| 1.0 / leave).sum();
            let rate = rates.iter().zip(&leave).map(|(rate, leave)| rate / leave).sum::<f64>() / stays;
            (format!("bursts = [{}]", states.join(", ")), rate)
        }
        _ => {
            // Independent gaps of a distribution, given as itself or as `interval`.
            let inner = arrival.get("interval").and_then(Value::as_object).unwrap_or(arrival);
            let (gap, mean) = distribution(inner).map_err(|_| format!("arrivals of type `{kind}` are not known"))?;
            (format!("gaps = {gap}"), 1.0 / mean)
        }
    })
}

/// A distribution in the language, and its mean in seconds.
fn distribution(given: &Object) -> Result<(String, f64), String> {
    let kind = given.get("type").and_then(Value::as_str).unwrap_or_default();
    Ok(match kind {
        "exp" | "exponential" => {
            let mean = real(given, "mean").or_else(|_| real(given, "rate").map(|rate| 1.0 / rate))?;
            (format!("{{ mean = {} }}", time(mean)), mean)
        }
        "const" | "det" | "constant" => {
            let value = real(given, "value").or_else(|_| real(given, "mean"))?;
            (time(value), value)
        }
        "hyperexp2" => {
            let (p1, mean1, mean2) = (real(given, "p1")?, real(given, "mean1")?, real(given, "mean2")?);
            let fields = format!("p1 = {p1:?}, mean1 = {}, mean2 = {}", time(mean1), time(mean2));
            (format!("{{ dist = \"hyperexponential\", {fields} }}"), p1 * mean1 + (1.0 - p1) * mean2)
        }
        "lognormal" => {
            let mean = real(given, "mean")?;
            let cv = real(given, "scv").map(f64::sqrt).or_else(|_| real(given, "cv"))?;
            (format!("{{ dist = \"lognormal\", mean = {}, cv = {cv:?} }}", time(mean)), mean)
        }
        "erlang" => {
            let stages = whole(given, "k")?.or(whole(given, "stages")?).or(whole(given, "shape")?);
            let (stages, mean) = (stages.ok_or("an erlang has no k")?, real(given, "mean")?);
            (format!("{{ dist = \"erlang\", stages = {stages}, mean = {} }}", time(mean)), mean)
        }
        "uniform" => {
            let (low, high) = (real(given, "low")?, real(given, "high")?);
            (format!("{{ dist = \"uniform\", low = {}, high = {} }}", time(low), time(high)), (low + high) / 2.0)
        }
        other => return Err(format!("the distribution `{other}` is not known")),
    })
}

/// Seconds as a time of the language, to the nanosecond.
fn time(seconds: f64) -> String {
    let ns = (seconds * 1e9).round().max(0.0) as u64;
    match ns {
        _ if ns.is_multiple_of(1_000_000_000) => format!("\"{}s\"", ns / 1_000_000_000),
        _ if ns.is_multiple_of(1_000_000) => format!("\"{}ms\"", ns / 1_000_000),
        _ => format!("\"{ns}ns\""),
    }
}

fn object<'m>(map: &'m Object, key: &str) -> Result<&'m Object, String> {
    map.get(key).and_then(Value::as_object).ok_or(format!("`{key}` is missing"))
}

fn real(map: &Object, key: &str) -> Result<f64, String> {
    let found = map.get(key).and_then(Value::as_f64).filter(|x| x.is_finite() && *x >= 0.0);
    found.ok_or(format!("`{key}` is no number of at least 0"))
}

fn reals(map: &Object, key: &str) -> Result<Vec<f64>, String> {
    let list = map.get(key).and_then(Value::as_array).ok_or(format!("`{key}` is no list"))?;
    list.iter().map(|x| x.as_f64().ok_or(format!("`{key}` holds no number"))).collect()
}

/// A whole number; absent and null are none.
fn whole(map: &Object, key: &str) -> Result<Option<u32>, String> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let found = value.as_f64().filter(|x| x.fract() == 0.0 && (0.0..=1e9).contains(x));
            found.map(|x| Some(x as u32)).ok_or(format!("`{key}` is no whole number"))
        }
    }
}
