//! `AtqPool` as a contender: seven classes, two with a ceiling of 90 % of the threads.
//!
//! The only file of the benches that knows `AtqPool`'s interface.

use atqsim::ids::ClassId;
use atqsim::pool::{AtqPool, Builder, Ceiling};

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
        let ceiling = |class| if class < CAPPED { Ceiling::Percent(CEILING_PERCENT) } else { Ceiling::None };
        let add = |builder: Builder, class| builder.class(&format!("class {class}"), ceiling(class));
        let builder = (0..CLASSES).fold(AtqPool::builder().threads(threads as u32), add);
        let pool = builder.build().expect("a sound description");
        let classes = (0..CLASSES).map(|class| ClassId(class as u16)).collect();
        Atq { pool, classes }
    }

    fn run(&self, class: usize, job: impl FnOnce() + Send + 'static) {
        self.pool.spawn(self.classes[class], job).expect("room for all");
    }
}
