//! Fuzz target; the body is in the library.
#![cfg_attr(fuzzing, no_main)]

hip_fuzz::target!("crypto_public_value");
