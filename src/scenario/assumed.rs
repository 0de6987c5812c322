//! The section `[assumptions]`, and where the pool's problems were written.
//!
//! Not what an assumption means (`policy::assumptions`). Called by `super::plan_of`.

use super::services::drain;
use super::tree::Node;
use super::walk::{Fields, Walk};
use crate::policy::assumptions::{AdditionalThreads, Assumptions, FormulaDivisor, QueuingKey, Rounding, SmtpQueue};
use crate::policy::order::Order;
use crate::policy::registry::{Registry, find_by_name};
use crate::problem::{Place, Problem};

const U32: (u64, u64) = (0, u32::MAX as u64);
const ONE_UP: (u64, u64) = (1, u32::MAX as u64);

/// The assumptions that count.
pub(super) fn assumptions(root: &mut Fields<'_, '_>) -> Assumptions {
    let mut result = Assumptions::default();
    let Some(mut fields) = root.table("assumptions") else { return result };
    let names = AdditionalThreads::ALL.iter().map(|v| v.name()).collect::<Vec<_>>();
    let found = fields.choice("additional_threads", &names).and_then(AdditionalThreads::from_name);
    result.additional_threads = found.unwrap_or(result.additional_threads);
    let names = Rounding::ALL.iter().map(|v| v.name()).collect::<Vec<_>>();
    let found = fields.choice("additional_rounding", &names).and_then(Rounding::from_name);
    result.additional_rounding = found.unwrap_or(result.additional_rounding);
    let names = FormulaDivisor::ALL.iter().map(|v| v.name()).collect::<Vec<_>>();
    let found = fields.choice("formula_divisor", &names).and_then(FormulaDivisor::from_name);
    result.formula_divisor = found.unwrap_or(result.formula_divisor);
    let names = QueuingKey::ALL.iter().map(|v| v.name()).collect::<Vec<_>>();
    let found = fields.choice("queuing_key", &names).and_then(QueuingKey::from_name);
    result.queuing_key = found.unwrap_or(result.queuing_key);
    let threads = fields.whole("max_pool_threads_default", U32, result.max_pool_threads_default.into());
    result.max_pool_threads_default = threads as u32;
    let backlog = fields.whole("listen_backlog_default", (1, 250), result.listen_backlog_default.into());
    result.listen_backlog_default = backlog as u32;
    let light = fields.whole("light_queue_threads", ONE_UP, result.light_queue_threads.into());
    result.light_queue_threads = light as u32;
    let drain_name = fields.path("drain");
    let found = fields.take("drain").and_then(|node| drain(fields.walk, node, &drain_name));
    result.drain = found.unwrap_or(result.drain);
    let names = Order::ALL.iter().map(|v| v.name()).collect::<Vec<_>>();
    result.order = fields.choice("order", &names).and_then(Order::from_name).unwrap_or(result.order);
    if let Some(node) = fields.take("heavy_queues") {
        result.heavy_queues = heavy_queues(fields.walk, node, &fields.path("heavy_queues"));
    }
    // Fixed ones may be written down, but not changed.
    fields.choice("counted_servers", &["smtp-virtual-servers"]);
    fields.choice("cap_base", &["configured-pool-size"]);
    fields.choice("thread_requests", &["one-per-waiting-message"]);
    fields.choice("growth", &["on-demand"]);
    fields.choice("processors", &["first-come-first-served"]);
    fields.choice("follower", &["before-the-thread-returns"]);
    fields.finish();
    result
}

fn heavy_queues(walk: &Walk<'_>, node: &Node, name: &str) -> Vec<SmtpQueue> {
    let names: Vec<&'static str> = SmtpQueue::ALL.iter().map(|queue| queue.name()).collect();
    let nodes = walk.list(node, name, (0, names.len())).unwrap_or_default();
    nodes.iter().filter_map(|node| walk.choice(node, name, &names).and_then(SmtpQueue::from_name)).collect()
}

/// A problem of the pool's shape, at the place in the scenario where its cause was written.
/// `own` is the section of a cluster's node, which counts before `[node]`.
pub(super) fn placed(
    walk: &Walk<'_>,
    root: &Node,
    own: Option<&Node>,
    registry: &Registry,
    problem: Problem,
) -> Problem {
    let Place::Named(name) = &problem.place else { return problem };
    let node = match name.as_str() {
        "processors" | "memory_mb" => {
            own.and_then(|own| own.at(&[name])).or(root.at(&["node", name])).or(root.at(&["node"]))
        }
        _ => name.strip_prefix("assumptions.").and_then(|field| root.at(&["assumptions", field])),
    };
    let setting = find_by_name(name).find_map(|value| registry.setting(value.id)).map(|setting| &setting.place);
    let place = node.map(|node| node.origin.place(&walk.source)).or(setting.cloned());
    Problem { place: place.unwrap_or(Place::Named(name.clone())), ..problem }
}
