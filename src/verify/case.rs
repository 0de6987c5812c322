//! Reference cases as they are written: models with expected figures, in the schema `atqsim-reference-cases/1`.
//!
//! Not what a model means (`translate`) and not how a figure is estimated (`figures`). Called by the rest of this room.

use serde_json::{Map, Value};

/// The schema that is read.
pub const SCHEMA: &str = "atqsim-reference-cases/1";

/// The cases that are built in.
const BUILT_IN: &str = include_str!("reference_cases.json");

/// One queue with its exact figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its name.
    pub id: String,
    /// What it is, in one line.
    pub summary: String,
    /// The model, as it was written.
    pub model: Map<String, Value>,
    /// What is expected: figures by class; `pool` and `network` are no classes.
    pub expected: Vec<Expected>,
    /// Error of the expected figures themselves.
    pub error_bound: f64,
    /// Items that a half-width of 1 % needs, by class, where that is known.
    pub jobs: Vec<(String, f64)>,
}

/// One expected number.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// The class, or `pool`, or `network`.
    pub group: String,
    /// The figure: `mean_wait`, `p_wait_gt`.
    pub figure: String,
    /// Its argument: the t of `p_wait_gt`, the q of `wait_quantiles`, the n of `mean_wait_of_job`.
    pub at: Option<f64>,
    /// The number.
    pub value: f64,
}

/// The cases that are built in.
#[must_use]
pub fn built_in() -> Vec<Case> {
    read(BUILT_IN).expect("the built-in cases can be read")
}

/// The cases in `text`.
///
/// # Errors
/// What is wrong, in one sentence.
pub fn read(text: &str) -> Result<Vec<Case>, String> {
    let root: Value = serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?;
    if let Some(schema) = root.get("schema").filter(|schema| schema.as_str() != Some(SCHEMA)) {
        return Err(format!("has the schema {schema}, and {SCHEMA} is read"));
    }
    let cases = root.get("cases").unwrap_or(&root).as_array().ok_or("has no list of cases")?;
    cases.iter().enumerate().map(|(at, case)| one(case).map_err(|why| format!("case {}: {why}", at + 1))).collect()
}

fn one(case: &Value) -> Result<Case, String> {
    let id = case.get("id").and_then(Value::as_str).ok_or("has no id")?.to_string();
    let object = |key: &str| case.get(key).and_then(Value::as_object).ok_or(format!("{id} has no {key}"));
    let model = object("model")?.clone();
    let mut expected = Vec::new();
    for (group, figures) in object("expected")? {
        match figures {
            Value::Object(figures) => {
                for (figure, value) in figures {
                    expected.extend(numbers(&id, group, figure, value)?);
                }
            }
            // Cases without classes give their figures at once.
            value => expected.extend(numbers(&id, "pool", group, value)?),
        }
    }
    let jobs = case.get("jobs_for_1pct_halfwidth_95").and_then(Value::as_object);
    let jobs = jobs.into_iter().flatten().filter_map(|(class, jobs)| Some((class.clone(), jobs.as_f64()?)));
    let summary = case.get("summary").and_then(Value::as_str).unwrap_or_default().to_string();
    let error_bound = case.get("abs_error_bound").and_then(Value::as_f64).unwrap_or(0.0);
    Ok(Case { jobs: jobs.collect(), id, summary, model, expected, error_bound })
}

/// A number, or a list of `[argument, number]`.
fn numbers(id: &str, group: &str, figure: &str, value: &Value) -> Result<Vec<Expected>, String> {
    let new = |at, value| Expected { group: group.to_string(), figure: figure.to_string(), at, value };
    if let Some(value) = number(value) {
        return Ok(vec![new(None, value)]);
    }
    let pair = |pair: &Value| Some(new(Some(number(pair.get(0)?)?), number(pair.get(1)?)?));
    let pairs = value.as_array().and_then(|list| list.iter().map(pair).collect());
    pairs.ok_or(format!("{id}: {group}.{figure} is neither a number nor a list of pairs"))
}

/// A number, which may be written as text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok()).filter(|x| x.is_finite())
}
