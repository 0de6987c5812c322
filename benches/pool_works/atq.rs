//! `AtqPool` as a contender: seven classes, two with a ceiling of 90 % of the threads.
//!
//! The only file of the benches that knows `AtqPool`'s interface.

use atqsim::ids::ClassId;
use atqsim::pool::{AtqPool, Ceiling};

use super::{CAPPED, CEILING_PERCENT, CLASSES, Kind, Pool};

/// The pool and the ids of its classes.
#[derive(Debug)]
pub(crate) struct Atq {
    pool: AtqPool,
    classes: Vec<ClassId>,
}

impl Pool for Atq {
    const NAME: &'static str = "AtqPool";
    const KIND: Kind = Kind::Ours;

    fn new(threads: usize) -> Atq {
        let mut builder = AtqPool::builder();
        let ceiling = |class| if class < CAPPED { Ceiling::Percent(CEILING_PERCENT) } else { Ceiling::None };
        let classes = (0..CLASSES).map(|class| builder.class(&format!("class {class}"), ceiling(class))).collect();
        Atq { pool: builder.threads(threads as u32).build(), classes }
    }

    fn run(&self, class: usize, job: impl FnOnce() + Send + 'static) {
        self.pool.spawn(self.classes[class], job).expect("room for all");
    }
}
