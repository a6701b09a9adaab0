//! The harness from outside: its program, run as a person or a script runs it, and what must hold of the whole workspace.

mod lap;
mod loads;
mod markdown;
mod rows;
mod scene;
mod support;

mod answers_of_others;
mod circles;
mod containers;
mod dependency_directions;
mod ended_laps;
mod experiments;
mod failing_connections;
mod foreign_laps;
mod frozen_rows;
mod generators;
mod laps;
mod links;
mod load_command;
mod merge;
mod not_text;
mod output_files;
mod output_streams;
mod own_load;
mod printed;
mod printing;
mod publish;
mod quick;
mod run_files;
mod selftest;
mod server_host;
mod servers_page;
mod show;
mod start_environment;
mod verify;
