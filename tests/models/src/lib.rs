//! The pool and what lies under it, of the program's own sources, with the locks and threads of a model checker.
//!
//! No code of its own. Called by the models in `tests/`.

#[path = "../../../src/ids.rs"]
pub mod ids;
#[path = "../../../src/policy/mod.rs"]
pub mod policy;
#[path = "../../../src/pool/mod.rs"]
pub mod pool;
#[path = "../../../src/problem.rs"]
pub mod problem;
#[path = "../../../src/time.rs"]
pub mod time;
