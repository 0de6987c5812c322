//! The domain table and its memory through their public doors, without engines: tables of the published numbers, curves that
//! can be computed by hand, and laws against a table that is plainly right.

mod domain_table_model {
    mod laws;
    mod memory;
    mod tables;
}
