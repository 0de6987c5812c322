//! The one table of registry values, each once, with what is published about it.
//!
//! Not the settings of a node (`super::Registry`). Read through the functions of `super`.

use super::{DefaultData, RegistryValue, ValueId};

const INETINFO: &str = r"SYSTEM\CurrentControlSet\Services\InetInfo\Parameters";
const QUEUING: &str = r"System\CurrentControlSet\Services\SMTPSVC\Queuing";
const SMTP_PARAMETERS: &str = r"System\CurrentControlSet\Services\SMTPSvc\Parameters";
const STORE_NET: &str = r"SYSTEM\CurrentControlSet\Services\MSExchangeIS\ParametersNetIf";
const STORE_SYSTEM: &str = r"SYSTEM\CurrentControlSet\Services\MSExchangeIS\ParametersSystem";
const STORE_PRIVATE: &str = r"SYSTEM\CurrentControlSet\Services\MSExchangeIS\ParametersPrivate";

/// What a row has unless it says otherwise.
const PLAIN: RegistryValue = RegistryValue {
    id: ValueId::MaxPercentPoolThreads,
    name: "",
    aliases: &[],
    key: "",
    other_keys: &[],
    default: DefaultData::NotPublished,
    range: (0, u32::MAX),
    advised_most: None,
    unit: "",
    meaning: "",
    source: "",
    modelled: false,
    limit: None,
};

/// Every registry value that the published texts name with its key, in the order of [`ValueId`].
pub static TABLE: &[RegistryValue] = &[
    RegistryValue {
        id: ValueId::MaxPercentPoolThreads,
        name: "MaxPercentPoolThreads",
        key: QUEUING,
        other_keys: &[SMTP_PARAMETERS],
        default: DefaultData::Value(90),
        range: (1, 100),
        unit: "%",
        meaning: "most ATQ threads that each heavy SMTP queue requests; 0 and values above 100 are documented nowhere",
        source: "KB 281868; other key: ExBPA aa997700",
        modelled: true,
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::AdditionalPoolThreadsPerProc,
        name: "AdditionalPoolThreadsPerProc",
        key: QUEUING,
        other_keys: &[SMTP_PARAMETERS],
        default: DefaultData::Value(6),
        unit: "threads per processor",
        meaning: "added to the pool when SMTP is started",
        source: "KB 281868; other key: ExBPA aa998026",
        modelled: true,
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::MaxPoolThreads,
        name: "MaxPoolThreads",
        key: INETINFO,
        default: DefaultData::Computed("4 (Q196016) or 10 (Q301310): assumptions.max_pool_threads_default"),
        advised_most: Some(20),
        unit: "threads per processor",
        meaning: "threads of the pool per processor, before SMTP adds its own",
        source: "Q196016, Q301310, Q143180",
        modelled: true,
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::PoolThreadLimit,
        name: "PoolThreadLimit",
        key: INETINFO,
        default: DefaultData::Computed("2 x MB of memory, at most 256"),
        range: (1, u32::MAX),
        unit: "threads",
        meaning: "most threads of the pool in the whole process; 0 is refused here",
        source: "Q301310, ExBPA aa995835, TechNet cc786830",
        modelled: true,
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::ThreadTimeout,
        name: "ThreadTimeout",
        key: INETINFO,
        default: DefaultData::Value(24 * 60 * 60),
        unit: "s",
        meaning: "an idle pool thread ends after this long without I/O",
        source: "Q301310, Q143180",
        modelled: true,
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::MaxConcurrency,
        name: "MaxConcurrency",
        key: INETINFO,
        default: DefaultData::Value(0),
        unit: "threads per processor",
        meaning: "threads allowed to run at once; 0 lets the system choose, which is one per processor",
        source: "Q301310",
        modelled: true,
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::ListenBackLog,
        name: "ListenBackLog",
        key: INETINFO,
        default: DefaultData::Computed("25 (Q301310) or 15 (IIS 5.0 help): assumptions.listen_backlog_default"),
        range: (1, 250),
        unit: "connections",
        meaning: "WinSock backlog of each address; a full one refuses connections",
        source: "Q301310, IIS 5.0 help",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::UseAcceptEx,
        name: "UseAcceptEx",
        key: INETINFO,
        default: DefaultData::Value(1),
        range: (0, 1),
        unit: "0 or 1",
        meaning: "accept a connection and its first data in one operation",
        source: "Q301310",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::AcceptExOutstanding,
        name: "AcceptExOutstanding",
        key: INETINFO,
        default: DefaultData::Value(40),
        range: (0, 1000),
        unit: "sockets",
        meaning: "accept operations posted ahead",
        source: "Q301310",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::AcceptExTimeout,
        name: "AcceptExTimeout",
        key: INETINFO,
        default: DefaultData::Value(120),
        unit: "s",
        meaning: "an accepted socket that sends nothing is dropped after this long",
        source: "Q301310",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::FileCacheMaxHandles,
        name: "FileCacheMaxHandles",
        key: INETINFO,
        default: DefaultData::Value(800),
        unit: "handles",
        meaning: "file handles kept open; 600 where the message handle thresholds are raised",
        source: "Exchange 2000 Operations Guide, table 2.1; ExBPA fa9e9bab",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::MsgHandleThreshold,
        name: "MsgHandleThreshold",
        key: QUEUING,
        default: DefaultData::Value(1000),
        advised_most: Some(15_000),
        unit: "messages",
        meaning: "queued messages whose files stay open",
        source: "Exchange 2000 Operations Guide, table 2.1; KB 271084",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::MsgHandleAsyncThreshold,
        name: "MsgHandleAsyncThreshold",
        key: QUEUING,
        default: DefaultData::Value(1000),
        advised_most: Some(15_000),
        unit: "messages",
        meaning: "to be set equal to MsgHandleThreshold",
        source: "Exchange 2000 Operations Guide, table 2.1; ExBPA ffadcc18",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::ZombieDomainEntryThreshold,
        name: "ZombieDomainEntryThreshold",
        key: QUEUING,
        unit: "entries",
        meaning: "domain entries with no more use; the KB sets 1000, and does nothing while the value is absent",
        source: "KB 910932",
        limit: Some("[domains]"),
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::MaxMessageObjects,
        name: "MaxMessageObjects",
        key: r"Software\Microsoft\Exchange\Mailmsg",
        default: DefaultData::Value(100_000),
        unit: "messages",
        meaning: "queued messages; at the limit each SMTP connection gets an out-of-memory error",
        source: "Exchange 2000 Operations Guide",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::StoreMaxPoolThreads,
        name: "MaxPoolThreads",
        key: STORE_NET,
        default: DefaultData::Value(50),
        unit: "threads",
        meaning: "pool of the Exchange 5.5 store for POP3, IMAP4 and NNTP; 100 for many clients",
        source: "Q257252, Q156063",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::StoreMaxConcurrency,
        name: "MaxConcurrency",
        key: STORE_NET,
        default: DefaultData::Value(0),
        unit: "threads per processor",
        meaning: "as in inetinfo, for the Exchange 5.5 store",
        source: "Q257252",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::StoreThreadTimeout,
        name: "ThreadTimeout",
        key: STORE_NET,
        default: DefaultData::Value(86_400),
        unit: "s",
        meaning: "as in inetinfo, for the Exchange 5.5 store",
        source: "Q257252",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::StoreMaxThreads,
        name: "Max Threads(Private+Public)",
        aliases: &["Max Threads (Public+Private)"],
        key: STORE_SYSTEM,
        default: DefaultData::Computed("32 after setup (4.0/5.0), 20 without an entry (5.0), 50 (5.5)"),
        unit: "threads",
        meaning: "threads of the information store; too few and the Internet Mail Connector cannot log on",
        source: "Q169686, Q156063; the alias and 50: Q257252",
        limit: Some("[store]"),
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::StoreMinimumThreads,
        name: "Minimum Threads",
        key: STORE_SYSTEM,
        default: DefaultData::Value(10),
        unit: "threads",
        meaning: "threads of the information store that are kept (5.5)",
        source: "Q257252",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::StoreBackgroundThreads,
        name: "Background Threads",
        key: STORE_SYSTEM,
        default: DefaultData::Computed("37 (5.5), 25 (5.0)"),
        unit: "threads",
        meaning: "threads for the store's own work; raise with Max Threads",
        source: "Q257252, Q156063, Q282115",
        limit: Some("[store]"),
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::GatewayInThreads,
        name: "Gateway In Threads",
        key: STORE_PRIVATE,
        default: DefaultData::Value(2),
        unit: "threads",
        meaning: "created for a gateway at its logon, from MTA to MTS-OUT",
        source: "Q257252, Q282115, Q234065",
        limit: Some("[store]"),
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::GatewayOutThreads,
        name: "Gateway Out Threads",
        key: STORE_PRIVATE,
        default: DefaultData::Value(2),
        unit: "threads",
        meaning: "created for a gateway at its logon, from MTS-IN to MTA",
        source: "Q257252, Q282115, Q234065",
        limit: Some("[store]"),
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::Pop3LoggingLevel,
        name: "POP3 Protocol Logging Level",
        key: STORE_SYSTEM,
        unit: "level",
        meaning: "protocol log of POP3 (5.5)",
        source: "Q257252",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::Imap4LoggingLevel,
        name: "IMAP4 Protocol Logging Level",
        key: STORE_SYSTEM,
        unit: "level",
        meaning: "protocol log of IMAP4 (5.5)",
        source: "Q257252",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::Pop3MaxBufferSize,
        name: "MaxBufferSize",
        key: r"System\CurrentControlSet\Services\POP3Svc\Parameters",
        default: DefaultData::Value(1024),
        advised_most: Some(65_536),
        unit: "bytes",
        limit: Some("[write_buffers]"),
        meaning: "one write of a POP3 front-end; a multiple of 1024, recommended at most 32768",
        source: "KB 823857, ExBPA aa998628",
        ..PLAIN
    },
    RegistryValue {
        id: ValueId::Imap4MaxBufferSize,
        name: "MaxBufferSize",
        key: r"System\CurrentControlSet\Services\IMAP4Svc\Parameters",
        default: DefaultData::Value(1024),
        advised_most: Some(65_536),
        unit: "bytes",
        limit: Some("[write_buffers]"),
        meaning: "one write of an IMAP4 front-end; a multiple of 1024, recommended at most 32768",
        source: "KB 823857, ExBPA 753c8517",
        ..PLAIN
    },
];
