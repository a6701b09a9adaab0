//! What its surroundings may do to the launcher: take nothing of what it says, and grant it, and what it starts, less than they
//! need.

use conformance::surroundings::{
    Limit, Lost, Program, assert_outlives_output_that_is_lost_as, assert_tells_its_limits,
};

use crate::common::{have, have_node, upstream};

const LAUNCHER: &str = env!("CARGO_BIN_EXE_foreign");

/// Those that leave it its folder: it cannot write a configuration where no file may have a byte.
fn lost() -> Vec<Lost> {
    Lost::ALL.into_iter().filter(|&lost| lost != Lost::TooLong).collect()
}

#[test]
fn nginx_alone_outlives_lost_output() {
    if have(&["nginx"]) {
        assert_outlives_output_that_is_lost_as(&Program::constant(LAUNCHER, &["nginx-return"]), &lost());
    }
}

#[test]
fn nginx_in_front_outlives_lost_output() {
    if have(&["nginx"]) {
        let program = Program::of(LAUNCHER, &["nginx", "--in-front-of", &upstream()]);
        assert_outlives_output_that_is_lost_as(&program, &lost());
    }
}

#[test]
fn pm2_outlives_lost_output() {
    if have_node() {
        let program = Program::constant(LAUNCHER, &["pm2"]);
        assert_outlives_output_that_is_lost_as(&program, &[Lost::Gone, Lost::Unread]);
    }
}

#[test]
fn the_launcher_says_which_limit_keeps_nginx_from_starting() {
    if have(&["nginx"]) {
        let program = Program::of(LAUNCHER, &["nginx", "--in-front-of", &upstream()]);
        assert_tells_its_limits(&program, &[Limit::Files, Limit::Group]);
    }
}
