//! Which addresses belong to the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// To the public internet.
    Public,
    /// To this machine.
    Loopback,
    /// To where nobody else may send us; the words name what it is.
    Forbidden(&'static str),
}

const fn v4(a: u8, b: u8, c: u8, length: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, 0), length)
}

/// IANA's registry of special IPv4 addresses, and one that a cloud uses for itself.
const SPECIAL_V4: [(Ipv4Net, &str); 16] = [
    (v4(0, 0, 0, 8), "an unspecified address"),
    (v4(10, 0, 0, 8), "a private address"),
    (v4(100, 64, 0, 10), "an address shared behind a carrier's NAT"),
    (v4(169, 254, 0, 16), "a link-local address"),
    (v4(172, 16, 0, 12), "a private address"),
    (v4(192, 0, 0, 24), "an address reserved for protocols"),
    (v4(192, 0, 2, 24), "an address for documentation"),
    (v4(192, 88, 99, 24), "a 6to4 relay"),
    (v4(192, 168, 0, 16), "a private address"),
    (v4(198, 18, 0, 15), "an address for benchmarks"),
    (v4(198, 51, 100, 24), "an address for documentation"),
    (v4(203, 0, 113, 24), "an address for documentation"),
    (v4(224, 0, 0, 4), "a multicast address"),
    // Azure answers its virtual machines here; everybody else is sent nowhere.
    (Ipv4Net::new_assert(Ipv4Addr::new(168, 63, 129, 16), 32), "the address of a cloud's own services"),
    (Ipv4Net::new_assert(Ipv4Addr::BROADCAST, 32), "the broadcast address"),
    (v4(240, 0, 0, 4), "a reserved address"),
];

const fn v6(a: u16, b: u16, c: u16, length: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), length)
}

/// The only IPv6 addresses that are handed out.
const GLOBAL_UNICAST: Ipv6Net = v6(0x2000, 0, 0, 3);

/// NAT64 for everybody: the last four bytes are an IPv4 address.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);

/// IANA's registry of special IPv6 addresses; more telling ones stand before those that hold them.
const SPECIAL_V6: [(Ipv6Net, &str); 14] = [
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 128), "an unspecified address"),
    (Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 96), "an IPv4-compatible address"),
    (v6(0x64, 0xff9b, 1, 48), "an address of a local NAT64"),
    (v6(0x100, 0, 0, 64), "a discard address"),
    (v6(0x2001, 0, 0, 32), "a Teredo address"),
    (v6(0x2001, 2, 0, 48), "an address for benchmarks"),
    (v6(0x2001, 0, 0, 23), "an address reserved for protocols"),
    (v6(0x2001, 0xdb8, 0, 32), "an address for documentation"),
    (v6(0x2002, 0, 0, 16), "a 6to4 address"),
    (v6(0x3fff, 0, 0, 20), "an address for documentation"),
    (v6(0xfc00, 0, 0, 7), "a private address"),
    (v6(0xfe80, 0, 0, 10), "a link-local address"),
    (v6(0xfec0, 0, 0, 10), "a site-local address"),
    (v6(0xff00, 0, 0, 8), "a multicast address"),
];

/// Where an address leads; one that is written as IPv6 and means IPv4 leads where that one does.
pub(super) fn reach(address: IpAddr) -> Reach {
    match address.to_canonical() {
        IpAddr::V4(address) => reach_v4(address),
        IpAddr::V6(address) => reach_v6(address),
    }
}

fn reach_v4(address: Ipv4Addr) -> Reach {
    if address.is_loopback() {
        return Reach::Loopback;
    }
    let special = SPECIAL_V4.iter().find(|(network, _)| network.contains(&address));
    special.map_or(Reach::Public, |(_, what)| Reach::Forbidden(what))
}

fn reach_v6(address: Ipv6Addr) -> Reach {
    if address.is_loopback() {
        return Reach::Loopback;
    }
    if NAT64.contains(&address) {
        let [.., a, b, c, d] = address.octets();
        return match reach_v4(Ipv4Addr::new(a, b, c, d)) {
            Reach::Public => Reach::Public,
            // The translator's own loopback, not ours.
            Reach::Loopback => Reach::Forbidden("a loopback address behind NAT64"),
            forbidden @ Reach::Forbidden(_) => forbidden,
        };
    }
    match SPECIAL_V6.iter().find(|(network, _)| network.contains(&address)) {
        Some((_, what)) => Reach::Forbidden(what),
        None if GLOBAL_UNICAST.contains(&address) => Reach::Public,
        None => Reach::Forbidden("a reserved address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_is_told_from_its_neighbours() {
        let mut count = 0;
        for line in TABLE.lines().filter(|line| !line.is_empty()) {
            let (address, expected) = line.split_once(' ').unwrap();
            let expected = match expected.trim() {
                "public" => Reach::Public,
                "loopback" => Reach::Loopback,
                what => Reach::Forbidden(what),
            };
            assert_eq!(reach(address.parse().unwrap()), expected, "{address}");
            count += 1;
        }
        assert!(count >= 60, "{count}");
    }

    const TABLE: &str = "
0.0.0.0 an unspecified address
0.1.2.3 an unspecified address
0.255.255.255 an unspecified address
1.0.0.0 public
1.1.1.1 public
8.8.8.8 public
9.255.255.255 public
10.0.0.0 a private address
10.255.255.255 a private address
11.0.0.0 public
100.63.255.255 public
100.64.0.0 an address shared behind a carrier's NAT
100.100.100.200 an address shared behind a carrier's NAT
100.127.255.255 an address shared behind a carrier's NAT
100.128.0.0 public
126.255.255.255 public
127.0.0.0 loopback
127.0.0.1 loopback
127.255.255.255 loopback
128.0.0.0 public
168.63.129.15 public
168.63.129.16 the address of a cloud's own services
168.63.129.17 public
169.253.255.255 public
169.254.0.0 a link-local address
169.254.169.254 a link-local address
169.254.255.255 a link-local address
169.255.0.0 public
172.15.255.255 public
172.16.0.0 a private address
172.31.255.255 a private address
172.32.0.0 public
191.255.255.255 public
192.0.0.0 an address reserved for protocols
192.0.0.171 an address reserved for protocols
192.0.1.0 public
192.0.2.1 an address for documentation
192.0.3.0 public
192.88.98.255 public
192.88.99.1 a 6to4 relay
192.88.100.0 public
192.167.255.255 public
192.168.0.0 a private address
192.168.255.255 a private address
192.169.0.0 public
198.17.255.255 public
198.18.0.0 an address for benchmarks
198.19.255.255 an address for benchmarks
198.20.0.0 public
198.51.99.255 public
198.51.100.7 an address for documentation
198.51.101.0 public
203.0.112.255 public
203.0.113.255 an address for documentation
203.0.114.0 public
223.255.255.255 public
224.0.0.1 a multicast address
239.255.255.255 a multicast address
240.0.0.0 a reserved address
255.255.255.254 a reserved address
255.255.255.255 the broadcast address
:: an unspecified address
::1 loopback
::2 an IPv4-compatible address
::7f00:1 an IPv4-compatible address
::8.8.8.8 an IPv4-compatible address
::1:0:0 a reserved address
::fffe:7f00:1 a reserved address
::ffff:0.0.0.0 an unspecified address
::ffff:7f00:1 loopback
::ffff:127.0.0.1 loopback
::ffff:10.0.0.1 a private address
::ffff:169.254.169.254 a link-local address
::ffff:255.255.255.255 the broadcast address
::ffff:8.8.8.8 public
::ffff:0:7f00:1 a reserved address
64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff a reserved address
64:ff9b::7f00:1 a loopback address behind NAT64
64:ff9b::10.0.0.1 a private address
64:ff9b::169.254.169.254 a link-local address
64:ff9b::8.8.8.8 public
64:ff9b::1:0:0 a reserved address
64:ff9b:1::8.8.8.8 an address of a local NAT64
64:ff9b:1:ffff:ffff:ffff:ffff:ffff an address of a local NAT64
64:ff9b:2:: a reserved address
100::1 a discard address
100:0:0:1::1 a reserved address
1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff a reserved address
2000::1 public
2001::1 a Teredo address
2001:0:7f00:1:: a Teredo address
2001:1::1 an address reserved for protocols
2001:2::1 an address for benchmarks
2001:20::1 an address reserved for protocols
2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff an address reserved for protocols
2001:200::1 public
2001:db7:ffff:ffff:ffff:ffff:ffff:ffff public
2001:db8::1 an address for documentation
2001:db9:: public
2001:4860:4860::8888 public
2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff public
2002:7f00:1:: a 6to4 address
2002:808:808:: a 6to4 address
2003::1 public
2606:4700:4700::1111 public
3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff public
3fff::1 an address for documentation
3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff an address for documentation
3fff:1000:: public
4000:: a reserved address
5f00::1 a reserved address
fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff a reserved address
fc00::1 a private address
fd00:ec2::254 a private address
fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff a private address
fe00:: a reserved address
fe80::1 a link-local address
febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff a link-local address
fec0::1 a site-local address
feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff a site-local address
ff02::1 a multicast address
ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff a multicast address
";
}
