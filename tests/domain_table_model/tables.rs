//! The published numbers and conditions, and the table's own door.

use atqsim::models::domain_table::spec::{
    Assumptions, DomainTableSpec, PUBLISHED_THRESHOLD, Software, Windows, ZeroThreshold,
};
use atqsim::models::domain_table::{DomainTable, Put};

#[test]
fn who_knows_the_value() {
    use Windows::{Server2003, Server2003Sp1, Server2003Sp2, Windows2000};
    // KB 910932: (system, x64, hotfix) -> whether the value is read.
    let table = [
        (Windows2000, false, false, false),
        (Windows2000, false, true, false),
        (Server2003, false, false, false),
        (Server2003, false, true, false),
        (Server2003, true, true, true),
        (Server2003, true, false, false),
        (Server2003Sp1, false, false, false),
        (Server2003Sp1, false, true, true),
        (Server2003Sp1, true, true, true),
        (Server2003Sp2, false, false, true),
        (Server2003Sp2, true, false, true),
    ];
    for (windows, is_x64, has_hotfix, knows) in table {
        let software = Software { windows, is_x64, has_hotfix };
        assert_eq!(software.knows_the_threshold(), knows, "{software:?}");
        let spec = |value, zero| DomainTableSpec {
            software,
            zombie_domain_entry_threshold: value,
            memory_bytes: 0,
            planned_restarts: None,
            assumptions: Assumptions { zero, ..Assumptions::default() },
        };
        let sweeps_every = ZeroThreshold::SweepsEveryDeadEntry;
        // Without the value there is no sweep, whatever is installed.
        assert_eq!(spec(None, sweeps_every).threshold(), None);
        assert_eq!(spec(Some(PUBLISHED_THRESHOLD), sweeps_every).threshold(), knows.then_some(1000));
        assert_eq!(spec(Some(0), sweeps_every).threshold(), knows.then_some(1));
        assert_eq!(spec(Some(0), ZeroThreshold::NeverSweeps).threshold(), None);
    }
}

#[test]
fn a_table_finds_what_was_put_whatever_its_case() {
    let mut table = DomainTable::default();
    let (id, put) = table.enqueue("Example.COM", 2).unwrap();
    assert_eq!((put, table.name_of(id)), (Put::Created, "example.com"));
    assert_eq!(table.enqueue("eXample.com", 1), Some((id, Put::Found)));
    assert_eq!((table.find("EXAMPLE.com"), table.find("example.org")), (Some(id), None));
    assert_eq!((table.queued(), table.queued_of(id), table.dequeue(id, 3)), (3, 3, 0));
    table.bury(id);
    assert_eq!((table.live(), table.dead(), table.len()), (0, 1, 1));
    assert_eq!(table.enqueue("example.com", 1), Some((id, Put::Revived)));
    assert_eq!((table.live(), table.dead(), table.sweep()), (1, 0, 0));
}

#[test]
fn names_have_1_to_255_octets() {
    let mut table = DomainTable::default();
    let (longest, too_long) = ("a".repeat(255), "a".repeat(256));
    assert!(table.enqueue(&longest, 1).is_some() && table.find(&longest).is_some());
    assert_eq!((table.enqueue(&too_long, 1), table.find(&too_long)), (None, None));
    assert_eq!((table.enqueue("", 1), table.find("")), (None, None));
    assert_eq!(table.len(), 1);
}

#[test]
fn a_place_is_used_again_and_its_past_is_forgotten() {
    let mut table = DomainTable::default();
    let (first, _) = table.enqueue("one.example", 1).unwrap();
    let uses = table.uses_of(first);
    table.dequeue(first, 1);
    table.bury(first);
    assert_eq!((table.sweep(), table.len(), table.find("one.example")), (1, 0, None));
    let (second, put) = table.enqueue("two.example", 1).unwrap();
    assert_eq!((second, put), (first, Put::Created));
    assert!(table.uses_of(second) != uses, "who waits for the first to die is not to kill the second");
}
