//! The transport server's machine through its public door, without engines: tables of the published numbers, sequences whose
//! times can be worked out by hand, and laws that hold whatever happens. A small driver plays the engine.

mod transport_model {
    mod books;
    mod bounds;
    pub(crate) mod driver;
    mod flow;
    mod laws;
    mod mistakes;
    mod pressure;
    mod sessions;
    mod tables;
    mod unlimited;
}
