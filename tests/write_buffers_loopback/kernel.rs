//! What Linux says of a TCP socket: `tcp_info` by way of `NETLINK_SOCK_DIAG`, which needs no right and no unsafe code.
//!
//! The places of the fields are those of `linux/inet_diag.h` and `linux/tcp.h`, which do not change.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use atqsim::verify::loopback::Witness;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt,
};

const HEADER: usize = 16;
const MESSAGE: usize = 72;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const INET_DIAG_INFO: u16 = 2;
/// In `tcp_info`.
const SND_MSS: usize = 16;
const TOTAL_RETRANS: usize = 100;
const DATA_SEGS_OUT: usize = 156;

/// Counts segments as the system does, on sockets whose segments are as short as Ethernet's.
pub(crate) struct Kernel;

/// The MSS that is asked for: Ethernet's. Options, such as time stamps, take their part of it.
pub(crate) const ASKED_MSS: u32 = 1_460;

impl Witness for Kernel {
    fn listens(&mut self, server: &TcpListener) {
        setsockopt(server, sockopt::TcpMaxSeg, &ASKED_MSS).unwrap();
    }

    fn segments_sent(&mut self, server: &TcpStream) -> Option<u64> {
        let info = tcp_info(server)?;
        // One that was sent again counts once.
        Some(u64::from(word(&info, DATA_SEGS_OUT) - word(&info, TOTAL_RETRANS)))
    }

    fn mss(&mut self, server: &TcpStream) -> Option<u32> {
        tcp_info(server).map(|info| word(&info, SND_MSS))
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn half(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_ne_bytes(bytes[at..at + 2].try_into().unwrap()))
}

/// `None` where the system has no such sockets: some sandboxes do not.
fn tcp_info(stream: &TcpStream) -> Option<Vec<u8>> {
    let answer = ask(stream.local_addr().unwrap(), stream.peer_addr().unwrap())
        .inspect_err(|e| println!("segments are not counted: {e}"))
        .ok()?;
    // Attributes follow the message, each a length, a kind and its data, to a multiple of four.
    let mut rest = &answer[HEADER + MESSAGE..];
    while rest.len() >= 4 {
        let (length, kind) = (half(rest, 0), half(rest, 2));
        if kind == usize::from(INET_DIAG_INFO) {
            return Some(rest[4..length].to_vec());
        }
        rest = &rest[length.next_multiple_of(4).min(rest.len())..];
    }
    panic!("the answer has no tcp_info: {answer:?}");
}

fn ask(local: SocketAddr, peer: SocketAddr) -> io::Result<Vec<u8>> {
    let netlink = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkSockDiag)?;
    let (SocketAddr::V4(from), SocketAddr::V4(to)) = (local, peer) else { panic!("{local} {peer}") };
    // AF_INET, TCP, what is asked for, and every state.
    let mut body = vec![2, 6, 1 << (INET_DIAG_INFO - 1), 0];
    body.extend(u32::MAX.to_ne_bytes());
    body.extend(from.port().to_be_bytes());
    body.extend(to.port().to_be_bytes());
    for address in [from.ip(), to.ip()] {
        body.extend(address.octets());
        body.extend([0; 12]);
    }
    // Any device, and no cookie.
    body.extend([0; 4]);
    body.extend([0xff; 8]);
    let mut request = Vec::new();
    request.extend(((HEADER + body.len()) as u32).to_ne_bytes());
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    // NLM_F_REQUEST, the first one, from this process.
    request.extend(1_u16.to_ne_bytes());
    request.extend(1_u32.to_ne_bytes());
    request.extend(0_u32.to_ne_bytes());
    request.extend(body);
    send(netlink.as_raw_fd(), &request, MsgFlags::empty())?;
    let mut answer = vec![0; 8_192];
    let length = recv(netlink.as_raw_fd(), &mut answer, MsgFlags::empty())?;
    answer.truncate(length);
    if length < HEADER + MESSAGE || half(&answer, 4) != usize::from(SOCK_DIAG_BY_FAMILY) {
        return Err(io::Error::other(format!("sock_diag answered {answer:?}")));
    }
    Ok(answer)
}
