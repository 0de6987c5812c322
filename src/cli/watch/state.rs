//! What the screen shows, and what an action makes of it. Not the drawing (`draw`), not the keys (`keys`) and not the run.
//!
//! Pure: a picture of the run and an action in, a wish for the run out. Called by `screen` and tests.

use std::sync::Arc;

use super::keys::Action;
use super::letters::{Sign, signs};
use crate::engine::control::{InEffect, Status, Tuning, Wish};
use crate::engine::live::Picture;
use crate::models::cluster::ResourceState;
use crate::models::cluster::spec::ClusterSpec;
use crate::plan::tuning::Values;
use crate::plan::{Plan, Role};
use crate::policy::registry::ValueId;
use crate::time::Nanos;

/// Emulated seconds a second that `+` and `-` go through.
const SPEEDS: &[f64] =
    &[0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0];

/// Loads, as parts of the scenario's, that up and down go through.
const LOADS: &[f64] = &[0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0];

/// How many colours the terminal has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// None are wanted.
    None,
    /// The first sixteen.
    Sixteen,
    /// 256.
    Many,
}

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Colours.
    pub paint: Paint,
    /// Nothing but ASCII.
    pub ascii: bool,
}

/// What an action comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// A change of the screen alone.
    Stay,
    /// Something is asked of the run.
    Ask(Wish),
    /// The run ends, and the next variant follows.
    Next,
    /// The run ends, and the report follows.
    Quit,
}

/// See the module's head.
#[derive(Clone, Debug)]
pub struct Screen {
    /// The scenario's title.
    pub title: String,
    /// The variant, its number from 1, and how many there are.
    pub variant: (String, usize, usize),
    /// What runs it, in words.
    pub engine: &'static str,
    /// Length of the run.
    pub duration: Nanos,
    /// From which wait on a class is starved.
    pub starvation_after: Nanos,
    /// The classes.
    pub signs: Vec<Sign>,
    /// The classes in the order in which they are shown: users first, then mail, then probes.
    pub order: Vec<usize>,
    /// Names of the nodes.
    pub nodes: Vec<String>,
    /// The node whose registry the keys change.
    pub node: usize,
    /// What is in each node's registry.
    pub registry: Vec<Option<Values>>,
    /// What the KB's formulas give for each node.
    pub recommended: Vec<Option<Values>>,
    /// What the cluster is made of, where there is one.
    pub cluster: Option<Arc<ClusterSpec>>,
    /// The class of each resource's probes.
    pub probes: Vec<Option<usize>>,
    /// The run.
    pub picture: Picture,
    /// Its state.
    pub status: Status,
    /// The help is open.
    pub help: bool,
    /// What was last done.
    pub message: String,
    /// What the terminal can show.
    pub look: Look,
}

impl Screen {
    /// The screen of a run that has not begun.
    #[must_use]
    pub fn new(
        plan: &Plan,
        (number, of): (usize, usize),
        engine: &'static str,
        (picture, status): (Picture, Status),
        look: Look,
    ) -> Screen {
        let signs = signs(plan);
        let rank = |role: Role| match role {
            Role::Protocol => 0,
            Role::SmtpIn => 1,
            Role::HeavyQueue => 2,
            Role::LightQueue => 3,
            Role::Probe => 4,
        };
        let mut order: Vec<usize> = (0..signs.len()).collect();
        order.sort_by_key(|at| rank(signs[*at].role));
        let nodes = plan.node_names();
        let cluster = plan.cluster.as_ref();
        Screen {
            title: plan.title.clone(),
            variant: (plan.variant.clone(), number, of),
            engine,
            duration: plan.duration,
            starvation_after: plan.starvation_after,
            order,
            node: 0,
            registry: (0..nodes.len()).map(|node| plan.values_of(node)).collect(),
            recommended: (0..nodes.len()).map(|node| plan.recommended_values(node)).collect(),
            cluster: cluster.map(|cluster| Arc::clone(&cluster.spec)),
            probes: cluster.map_or_else(Vec::new, |cluster| {
                cluster.probe_class.iter().map(|class| class.map(|class| class.index())).collect()
            }),
            signs,
            nodes,
            picture,
            status,
            help: false,
            message: String::new(),
            look,
        }
    }

    /// The pool of the chosen node.
    #[must_use]
    pub fn in_effect(&self) -> InEffect {
        self.status.in_effect[self.node]
    }

    /// Whether the chosen node's registry has values that do not count yet.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.registry[self.node] != self.in_effect().values
    }

    /// Whether a single server's services are on their way down or up.
    #[must_use]
    pub fn is_restarting(&self) -> bool {
        let states = self.picture.cluster.as_ref().map(|cluster| &cluster.resources);
        self.cluster.is_none()
            && states.is_some_and(|states| states.iter().any(|state| *state != ResourceState::Online))
    }

    /// Does what somebody wants, as far as it is the screen's.
    pub fn act(&mut self, action: Action) -> Step {
        let load = |factor: f64| format!("the load of sources that come whatever happens is x {factor}");
        match action {
            Action::Quit => return Step::Quit,
            Action::NextVariant if self.variant.1 < self.variant.2 => return Step::Next,
            Action::NextVariant => self.message = "this is the last variant".into(),
            Action::Help => self.help = !self.help,
            Action::Close => self.help = false,
            Action::NextNode => self.node = (self.node + 1) % self.nodes.len(),
            _ if self.picture.ended => self.message = "the run is over; q prints its report".into(),
            Action::Pause if self.status.paused => return Step::Ask(Wish::Resume),
            Action::Pause => return Step::Ask(Wish::Pause),
            Action::Faster | Action::Slower => {
                let Some(now) = self.status.speed else { return Step::Stay };
                let speed = neighbour(SPEEDS, now, action == Action::Faster);
                self.message = format!("{speed} emulated seconds a second");
                return Step::Ask(Wish::Speed(speed));
            }
            Action::MoreLoad | Action::LessLoad => {
                let factor = neighbour(LOADS, self.status.load, action == Action::MoreLoad);
                self.message = load(factor);
                return Step::Ask(Wish::Load(factor));
            }
            Action::Percent(by) => self.change(|values| &mut values.percent, ValueId::MaxPercentPoolThreads, by),
            Action::Additional(by) => {
                self.change(|values| &mut values.additional, ValueId::AdditionalPoolThreadsPerProc, by);
            }
            Action::Recommended => match self.recommended[self.node] {
                Some(values) if self.registry[self.node].is_some() => {
                    self.registry[self.node] = Some(values);
                    self.message = "the values of KB 281868 are in the registry; r or a makes them count".into();
                }
                _ => self.message = "the KB's formulas have no answer here".into(),
            },
            Action::Apply | Action::Restart => return self.makes_count(action == Action::Restart),
        }
        Step::Stay
    }

    fn makes_count(&mut self, restart: bool) -> Step {
        let Some(values) = self.registry[self.node] else {
            self.message = "this pool does not follow from the two values".into();
            return Step::Stay;
        };
        let tuning = Tuning { node: self.node, values };
        if restart {
            self.message = "IIS Admin restarts: who waits is cut off, messages stay, then the registry is read".into();
            return Step::Ask(Wish::Restart(tuning));
        }
        if !self.is_pending() {
            self.message = "nothing in the registry is pending".into();
            return Step::Stay;
        }
        self.message = "applied at once: a liberty, the real service would have to be restarted".into();
        Step::Ask(Wish::Apply(tuning))
    }

    fn change(&mut self, field: impl Fn(&mut Values) -> &mut u32, id: ValueId, by: i32) {
        let value = id.value();
        let Some(values) = &mut self.registry[self.node] else {
            self.message = "this pool does not follow from the two values".into();
            return;
        };
        let data = field(values);
        // As far as the screen goes: a pool of real threads would be far above its bound.
        let (least, most) = (value.range.0, value.range.1.min(1_000));
        *data = data.saturating_add_signed(by).clamp(least, most);
        self.message = format!("{} is {data} in the registry; r or a makes it count", value.name);
    }
}

/// The next of `steps` above or below `now`.
fn neighbour(steps: &[f64], now: f64, up: bool) -> f64 {
    let found = if up { steps.iter().find(|step| **step > now) } else { steps.iter().rfind(|step| **step < now) };
    found.copied().unwrap_or(now)
}
