//! The information store's machine through its public door, without engines: tables of the published numbers, sequences from
//! the documentation, and laws that hold whatever happens. A small driver plays the engine: calls take a stated time.

mod store_model {
    pub(crate) mod driver;
    mod laws;
    mod sequences;
    mod tables;
}
