//! nginx's configuration, as text.
//!
//! What the exercise's has, with all files in one folder, and with what the measurement needs said explicitly. Everything
//! else stays at nginx's defaults, which are part of what nginx is here.

use std::{
    fmt::{self, Write},
    net::SocketAddr,
};

use clap::ValueEnum;
use kit::args::Limits;

/// How nginx spreads requests over instances. Each worker process of nginx keeps its own account: there is no `zone`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Balance {
    /// In turn: nginx's default.
    RoundRobin,
    /// To the instance with the fewest requests under way.
    LeastConn,
    /// By the first three octets of the client's IPv4 address. On loopback all clients are one, so that one instance gets
    /// everything.
    IpHash,
}

/// Instances behind one name.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// What it is called in the configuration.
    pub name: &'static str,
    /// How requests are spread over the instances.
    pub balance: Balance,
    /// Where the instances listen.
    pub instances: Vec<SocketAddr>,
}

/// What nginx answers.
#[derive(Clone, Debug)]
pub enum Site {
    /// This JSON to every request, from nginx itself. It must not contain a single quote.
    Constant(String),
    /// What the instances behind it answer: the first upstream all that no other takes, each other one a path.
    Proxy {
        /// Where requests go that have no path of their own below.
        to: Upstream,
        /// Exact paths, and where they go instead.
        split: Vec<(&'static str, Upstream)>,
    },
}

/// A whole configuration; `Display` is the file.
#[derive(Clone, Debug)]
pub struct Configuration<'a> {
    /// Where nginx listens.
    pub listen: SocketAddr,
    /// How many worker processes there are.
    pub workers: usize,
    /// Timeouts and sizes, as this project's servers have them.
    pub limits: &'a Limits,
    /// What is served.
    pub site: Site,
}

/// Idle connections that each worker process of nginx keeps to an upstream: more than a load generator has, so that no
/// request of a closed loop pays for a new connection.
pub const UPSTREAM_KEEPALIVE: usize = 512;
/// Connections of each worker process, those to the instances included; each takes some 400 bytes at the start.
const WORKER_CONNECTIONS: usize = 16_384;
/// Beyond what any run sends over one connection.
const KEEPALIVE_REQUESTS: usize = 1_000_000_000;
/// A delay may take 60 s, which is also nginx's default here.
const PROXY_READ_TIMEOUT_S: usize = 90;

impl fmt::Display for Configuration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { max_body_bytes, header_timeout, body_timeout, idle_timeout, drain_timeout, .. } =
            self.limits;
        writeln!(f, "daemon off;\npid nginx.pid;\nerror_log stderr warn;")?;
        writeln!(f, "worker_processes {};", self.workers)?;
        writeln!(f, "worker_shutdown_timeout {}ms;", drain_timeout.as_millis())?;
        writeln!(f, "events {{\n  worker_connections {WORKER_CONNECTIONS};\n}}")?;
        writeln!(f, "http {{\n  access_log off;\n  default_type application/json;")?;
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            writeln!(f, "  {kind}_temp_path {kind};")?;
        }
        writeln!(f, "  client_max_body_size {max_body_bytes};")?;
        writeln!(f, "  client_header_timeout {}ms;", header_timeout.as_millis())?;
        writeln!(f, "  client_body_timeout {}ms;", body_timeout.as_millis())?;
        writeln!(f, "  keepalive_timeout {}ms;", idle_timeout.as_millis())?;
        writeln!(f, "  keepalive_requests {KEEPALIVE_REQUESTS};")?;

        let mut locations = String::new();
        match &self.site {
            Site::Constant(body) => {
                writeln!(locations, "    location / {{\n      return 200 '{body}';\n    }}")?;
            }
            Site::Proxy { to, split } => {
                // nginx 1.22 takes a line feed alone for the end of a chunk's line, and answers what follows as a
                // request even where it is body to the client: better no chunked requests than that.
                writeln!(locations, "    if ($http_transfer_encoding) {{\n      return 400;\n    }}")?;
                to.fmt(f)?;
                if to.instances.len() > 1 {
                    // The counters are one instance's, and whose would be chance.
                    writeln!(locations, "    location = /metrics {{\n      return 404;\n    }}")?;
                }
                to.location(&mut locations, "/")?;
                for (path, upstream) in split {
                    upstream.fmt(f)?;
                    upstream.location(&mut locations, &format!("= {path}"))?;
                }
            }
        }
        let backlog = kit::listen::BACKLOG;
        // The name is what an instance is told that HTTP/1.0 clients without a Host asked for.
        writeln!(
            f,
            "  server {{\n    listen {} backlog={backlog};\n    server_name localhost;",
            self.listen
        )?;
        writeln!(f, "{locations}  }}\n}}")
    }
}

impl Upstream {
    fn location(&self, out: &mut String, path: &str) -> fmt::Result {
        writeln!(out, "    location {path} {{\n      proxy_pass http://{};", self.name)?;
        // Both for the connections to the instances to be kept alive; the client's name for the server is passed on.
        writeln!(out, "      proxy_http_version 1.1;\n      proxy_set_header Connection \"\";")?;
        writeln!(out, "      proxy_set_header Host $host;")?;
        writeln!(out, "      proxy_read_timeout {PROXY_READ_TIMEOUT_S}s;\n    }}")
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  upstream {} {{", self.name)?;
        match self.balance {
            Balance::RoundRobin => {}
            Balance::LeastConn => writeln!(f, "    least_conn;")?,
            Balance::IpHash => writeln!(f, "    ip_hash;")?,
        }
        for instance in &self.instances {
            writeln!(f, "    server {instance};")?;
        }
        // After the rule, which it would otherwise replace.
        writeln!(f, "    keepalive {UPSTREAM_KEEPALIVE};\n    keepalive_requests {KEEPALIVE_REQUESTS};\n  }}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits() -> Limits {
        Limits {
            max_connections: 16_384,
            max_body_bytes: 1_048_576,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            drain_timeout: Duration::from_secs(9),
            linger: Duration::from_millis(200),
        }
    }

    fn written(site: Site) -> String {
        let listen = "127.0.0.1:8080".parse().unwrap();
        Configuration { listen, workers: 2, limits: &limits(), site }.to_string()
    }

    fn upstream(name: &'static str, balance: Balance, ports: &[u16]) -> Upstream {
        let instances = ports.iter().map(|&port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        Upstream { name, balance, instances }
    }

    const HEAD: &str = "\
daemon off;
pid nginx.pid;
error_log stderr warn;
worker_processes 2;
worker_shutdown_timeout 9000ms;
events {
  worker_connections 16384;
}
http {
  access_log off;
  default_type application/json;
  client_body_temp_path client_body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  client_max_body_size 1048576;
  client_header_timeout 10000ms;
  client_body_timeout 30000ms;
  keepalive_timeout 75000ms;
  keepalive_requests 1000000000;
";

    const LOCATION: &str = "      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_set_header Host $host;
      proxy_read_timeout 90s;
    }
";

    #[test]
    fn a_constant_is_returned_for_every_path() {
        let server = "  server {
    listen 127.0.0.1:8080 backlog=1024;
    server_name localhost;
    location / {
      return 200 '{\"payload\":499500}';
    }
  }
}
";
        let expected = format!("{HEAD}{server}");
        assert_eq!(written(Site::Constant("{\"payload\":499500}".to_owned())), expected);
    }

    #[test]
    fn a_split_names_both_upstreams_and_sends_one_path_to_the_second() {
        let keepalive = "    keepalive 512;\n    keepalive_requests 1000000000;\n  }\n";
        let expected = format!(
            "{HEAD}  upstream one {{\n    server 127.0.0.1:1;\n{keepalive}  \
             upstream cluster {{\n    server 127.0.0.1:2;\n    server 127.0.0.1:3;\n{keepalive}  \
             server {{\n    listen 127.0.0.1:8080 backlog=1024;\n    server_name localhost;\n    \
             if ($http_transfer_encoding) {{\n      return 400;\n    }}\n    \
             location / {{\n      proxy_pass http://one;\n{LOCATION}    \
             location = /api/randoms {{\n      proxy_pass http://cluster;\n{LOCATION}  }}\n}}\n"
        );
        let to = upstream("one", Balance::RoundRobin, &[1]);
        let split = vec![("/api/randoms", upstream("cluster", Balance::RoundRobin, &[2, 3]))];
        assert_eq!(written(Site::Proxy { to, split }), expected);
    }

    #[test]
    fn the_balancing_rule_stands_before_what_it_would_replace() {
        for (balance, rule) in [
            (Balance::RoundRobin, "upstream u {\n    server"),
            (Balance::LeastConn, "upstream u {\n    least_conn;\n    server"),
            (Balance::IpHash, "upstream u {\n    ip_hash;\n    server"),
        ] {
            let text = written(Site::Proxy { to: upstream("u", balance, &[7]), split: Vec::new() });
            assert!(text.contains(rule), "{balance:?}: {text}");
        }
    }

    #[test]
    fn counters_are_shown_only_where_they_are_of_the_one_instance() {
        let shown = |ports: &[u16]| {
            let to = upstream("u", Balance::RoundRobin, ports);
            !written(Site::Proxy { to, split: Vec::new() }).contains("location = /metrics")
        };
        assert!(shown(&[1]) && !shown(&[1, 2]));
    }
}
