//! Fuzz target; the body is in the library.
#![cfg_attr(fuzzing, no_main)]

hip_fuzz::target!("reload_member");
