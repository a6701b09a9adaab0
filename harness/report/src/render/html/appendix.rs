//! What the figures rest on: the rows, what was left out, the host, and how the run was made.

use maud::{Markup, html};

use crate::{
    model::{List, Made, Table},
    render::clean::clean,
};

use super::{
    table,
    words::{list, name},
};

/// What the rows are.
pub(super) fn rows(of: &Table) -> Markup {
    html! {
        section #rows aria-labelledby="rows-heading" {
            h2 #rows-heading { "The rows" }
            (table::table(of, "rows-table", "What the rows are"))
        }
    }
}

/// What was left out, and why; nothing where nothing was.
pub(super) fn left_out(lists: &[List]) -> Markup {
    html! {
        @if !lists.is_empty() {
            section #left-out aria-labelledby="left-out-heading" {
                h2 #left-out-heading { "Left out" }
                @for of in lists {
                    h3 { (clean(&of.heading)) }
                    (list("", of.items.iter()))
                }
            }
        }
    }
}

/// The host: a name and a value in each of its lines.
pub(super) fn host(of: &List) -> Markup {
    html! {
        section #host aria-labelledby="host-heading" {
            h2 #host-heading { (clean(&of.heading)) }
            @if !of.items.is_empty() {
                dl.pairs {
                    @for item in &of.items {
                        @let (what, value) = item.split_once(": ").unwrap_or((item.as_str(), ""));
                        dt { (clean(what)) }
                        dd { (clean(value)) }
                    }
                }
            }
        }
    }
}

/// Where, when and from what the run was made.
pub(super) fn made(of: &Made) -> Markup {
    let Made { started, host, command, revision, is_modified, machine, compiler, seed, starts, complete } =
        of;
    html! {
        section #made aria-labelledby="made-heading" {
            h2 #made-heading { "How it was made" }
            dl.pairs {
                dt { "command" }
                dd { code { (clean(command)) } }
                dt { "began" }
                dd { (clean(started)) }
                dt { "host" }
                dd { (name(host)) }
                dt { "machine" }
                dd { (clean(machine)) }
                dt { "revision" }
                dd { (clean(revision)) @if *is_modified { ", with local changes" } }
                dt { "compiler" }
                dd { (clean(compiler)) }
                dt { "seed" }
                dd { (seed) }
                dt { "starts of all servers" }
                dd { (complete) " finished of " (starts) " planned" }
            }
        }
    }
}
