//! The laws, over random scenarios in virtual time: those of a single run, and those that need two.
//!
//! What is compared is each item's moments, as an observer is told of them, not only figures. Beside each law stands a
//! planted change that it has to notice, so that it can fail. `just long-properties` runs many more cases.

mod figures;
mod laws;
mod mail;
mod one_run;
mod witness;
mod world;
