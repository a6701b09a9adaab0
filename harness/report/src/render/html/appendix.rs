//! What the figures rest on: the rows, what was left out, the host, and how the run was made.

use maud::{Markup, html};

use crate::model::{List, Made, Table};

use super::{
    table,
    words::{list, name, said},
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
                    h3 { (said(&of.heading)) }
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
            h2 #host-heading { (said(&of.heading)) }
            @if !of.items.is_empty() {
                dl.pairs {
                    @for item in &of.items {
                        @let (what, value) = item.split_once(": ").unwrap_or((item.as_str(), ""));
                        dt { (said(what)) }
                        dd { (said(value)) }
                    }
                }
            }
        }
    }
}

/// Where, when and from what the run was made.
pub(super) fn made(of: &Made) -> Markup {
    let Made { started, host, command, revision, is_modified, machine, compiler, seed, .. } = of;
    let Made { starts, complete, passes, passes_complete, .. } = of;
    html! {
        section #made aria-labelledby="made-heading" {
            h2 #made-heading { "How it was made" }
            dl.pairs {
                dt { "command" }
                dd { code { (said(command)) } }
                dt { "began" }
                dd { (said(started)) }
                dt { "host" }
                dd { (name(host)) }
                dt { "machine" }
                dd { (said(machine)) }
                dt { "revision" }
                dd { (said(revision)) @if *is_modified { ", with local changes" } }
                dt { "compiler" }
                dd { (said(compiler)) }
                dt { "seed" }
                dd { (seed) }
                @if *starts > 0 {
                    dt { "starts of all servers" }
                    dd { (complete) " finished of " (starts) " planned" }
                }
                @if *passes > 0 {
                    dt { "passes of experiments" }
                    dd { (passes_complete) " finished of " (passes) " planned" }
                }
            }
        }
    }
}
