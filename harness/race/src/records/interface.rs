//! The network interface of an address of this host, and what its driver does to packets.

use std::{collections::BTreeMap, fs, net::IpAddr, path::Path};

use rustix::net::{AddressFamily, SocketType, netdevice::name_to_index, socket};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::host_record::{line, output};

/// A network interface. Unknown is `null`, never left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// The longest packet, bytes.
    pub mtu: Option<u32>,
    /// Its driver.
    pub driver: Option<String>,
    /// What it is connected with, Mbit/s.
    pub speed_mbit: Option<u64>,
    /// What is left to the device, such as `tcp-segmentation-offload: on`, as ethtool shows it; `null` where that is not installed.
    pub offloads: Option<BTreeMap<String, String>>,
}

impl Interface {
    /// That of the address `ip` of this host; `None` where the kernel does not tell.
    pub fn of(ip: IpAddr) -> Option<Self> {
        let name = match ip {
            ip if ip.is_loopback() => "lo".to_owned(),
            IpAddr::V4(ip) => by_route(&fs::read_to_string("/proc/net/route").ok()?, ip.to_bits())?,
            IpAddr::V6(ip) => by_address(&fs::read_to_string("/proc/net/if_inet6").ok()?, ip.to_bits())?,
        };
        // The files of another network's interface of that name are not its own.
        let folder = Path::new("/sys/class/net").join(&name);
        let folder = is_of_this_network(&folder, &name).then_some(folder);
        let file = |file: &str| line(folder.as_ref()?.join(file));
        let linked = || {
            let driver = fs::read_link(folder.as_ref()?.join("device/driver")).ok()?;
            Some(driver.file_name()?.to_string_lossy().into_owned())
        };
        let ethtool = |arguments: &[&str]| output(Path::new("/"), "ethtool", arguments);
        let said = || driver_in(&ethtool(&["-i", &name])?);
        Some(Self {
            mtu: file("mtu").and_then(|mtu| mtu.parse().ok()),
            driver: linked().or_else(said),
            // It is -1 where there is none.
            speed_mbit: file("speed").and_then(|speed| speed.parse().ok()),
            offloads: ethtool(&["-k", &name]).map(|text| offloads_in(&text)),
            name,
        })
    }
}

fn is_of_this_network(folder: &Path, name: &str) -> bool {
    let told = line(folder.join("ifindex")).and_then(|index| index.parse::<u32>().ok());
    let own =
        socket(AddressFamily::INET, SocketType::DGRAM, None).and_then(|socket| name_to_index(socket, name));
    told.is_some() && told == own.ok()
}

/// The interface of the narrowest network that the address is in, by `/proc/net/route`: addresses and masks are numbers as they lie in memory.
fn by_route(table: &str, ip: u32) -> Option<String> {
    let route = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [name, network, _, _, _, _, _, mask, ..] = words[..] else { return None };
        // The address's first byte is the first in memory.
        let number = |text: &str| u32::from_str_radix(text, 16).ok().map(u32::from_be);
        let (network, mask) = (number(network)?, number(mask)?);
        (ip & mask == network).then(|| (mask, name.to_owned()))
    };
    table.lines().skip(1).filter_map(route).max_by_key(|(mask, _)| *mask).map(|(_, name)| name)
}

/// The interface that has the address, by `/proc/net/if_inet6`.
fn by_address(table: &str, ip: u128) -> Option<String> {
    let address = format!("{ip:032x}");
    let line = table.lines().find(|line| line.starts_with(&address))?;
    line.split_ascii_whitespace().last().map(str::to_owned)
}

/// Of what `ethtool -i` prints.
fn driver_in(text: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix("driver:")).map(|driver| driver.trim().to_owned())
}

/// Of what `ethtool -k` prints: those that are something by themselves are indented, and `[fixed]` is said of what nobody can change.
fn offloads_in(text: &str) -> BTreeMap<String, String> {
    let one = |line: &str| {
        let (name, value) = line.trim().split_once(':')?;
        let value = value.split_ascii_whitespace().next()?;
        Some((name.to_owned(), value.to_owned()))
    };
    text.lines().skip(1).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    /// On a processor whose numbers begin with their least byte.
    #[cfg(target_endian = "little")]
    #[test]
    fn an_address_is_of_the_narrowest_network_that_has_it() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
                     eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n\
                     veth1\t000711AC\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        let of = |ip: [u8; 4]| by_route(table, Ipv4Addr::from(ip).to_bits());
        assert_eq!(of([172, 17, 7, 2]).as_deref(), Some("veth1"));
        assert_eq!(of([172, 17, 0, 2]).as_deref(), Some("eth0"));
        assert_eq!(of([8, 8, 8, 8]).as_deref(), Some("eth0"));
        assert_eq!(by_route("Iface\n", 1), None);
    }

    #[test]
    fn an_address_of_ipv6_is_looked_up() {
        let table = "fd000000000000000000000000000002 04 40 00 80     eth0\n";
        let of = |ip: &str| by_address(table, ip.parse::<Ipv6Addr>().unwrap().to_bits());
        assert_eq!((of("fd00::2").as_deref(), of("fd00::3")), (Some("eth0"), None));
    }

    #[test]
    fn what_ethtool_prints_is_read() {
        let text = "Features for eth0:\nrx-checksumming: on\ntcp-segmentation-offload: on\n\ttx-tcp-segmentation: on\nlarge-receive-offload: off [fixed]\n";
        let offloads = offloads_in(text);
        assert_eq!(offloads.len(), 4);
        assert_eq!(
            (offloads["tx-tcp-segmentation"].as_str(), offloads["large-receive-offload"].as_str()),
            ("on", "off")
        );
        assert_eq!(driver_in("driver: veth\nversion: 1.0\n").as_deref(), Some("veth"));
    }

    #[test]
    fn the_loopback_of_this_host_is_described() {
        let loopback = Interface::of(IpAddr::from([127, 0, 0, 1])).unwrap();
        assert_eq!(loopback.name, "lo");
    }
}
