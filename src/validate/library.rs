//! The validation scenarios, part of the program.
//!
//! *Knows* their texts. *Does not know* what is in them.

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        /// Stem and text of every file in `scenarios/validation`.
        pub const FILES: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../scenarios/validation/", $name, ".toml")))),*];
    };
}

files![
    "mm1-rho0.5",
    "mm1-rho0.8",
    "mm1-rho0.95",
    "mm2-rho0.8",
    "mm10-rho0.8",
    "mm100-rho0.9",
    "md1-rho0.5",
    "me4-1-rho0.8",
    "mg1-lognormal-cv1-rho0.7",
    "mg1-lognormal-cv2-rho0.7",
    "mg1-gcpause-rho0.5",
    "mm1-10-rho0.9",
    "mm4-20-rho1.2",
    "erlangb-10-8",
    "erlang-a-10-9-1",
    "mmc-d-10-9-0.5",
    "mmc-d-10-12-1",
    "mm1-d-0.9-5",
    "zombie-mm1-0.8-10",
    "rr-n2-rho0.8",
    "rr-n10-rho0.8",
    "rr-n100-rho0.8",
    "rr-limit-rho0.8",
    "random-n10-rho0.8",
    "jsq-n2-rho0.5",
    "jsq-n2-rho0.8",
    "supermarket-d2-0.5",
    "supermarket-d2-0.7",
    "supermarket-d2-0.8",
    "supermarket-d2-0.9",
    "supermarket-d2-0.95",
    "supermarket-d2-0.99",
    "supermarket-d3-0.5",
    "supermarket-d3-0.7",
    "supermarket-d3-0.8",
    "supermarket-d3-0.9",
    "supermarket-d3-0.95",
    "supermarket-d3-0.99",
    "supermarket-d5-0.5",
    "supermarket-d5-0.7",
    "supermarket-d5-0.8",
    "supermarket-d5-0.9",
    "supermarket-d5-0.95",
    "supermarket-d5-0.99",
    "p2c-n100-0.5-replacement",
    "p2c-n100-0.5-distinct",
    "p2c-n100-0.7-replacement",
    "p2c-n100-0.7-distinct",
    "p2c-n100-0.8-replacement",
    "p2c-n100-0.8-distinct",
    "p2c-n100-0.9-replacement",
    "p2c-n100-0.9-distinct",
    "p2c-n100-0.95-replacement",
    "p2c-n100-0.95-distinct",
    "p2c-n100-0.99-replacement",
    "p2c-n100-0.99-distinct",
    "p3c-n100-0.5-replacement",
    "p3c-n100-0.7-replacement",
    "p3c-n100-0.8-replacement",
    "p3c-n100-0.9-replacement",
    "p3c-n100-0.95-replacement",
    "p3c-n100-0.99-replacement",
    "p2c-n10-replacement-0.7",
    "p2c-n10-distinct-0.7",
    "jsq-n10-0.7",
    "p2c-n10-replacement-0.8",
    "p2c-n10-distinct-0.8",
    "jsq-n10-0.8",
    "p2c-n10-distinct-0.9",
    "p2c-n10-replacement-0.95",
    "p2c-n10-distinct-0.95",
    "jsq-n10-0.95",
    "partial-view-p2c-m1",
    "partial-view-rr-m1",
    "partial-view-p2c-m2",
    "partial-view-rr-m2",
    "partial-view-rr-m4",
    "partial-view-p2c-m10",
    "partial-view-rr-m10",
    "partial-view-p2c-m100",
    "partial-view-rr-m100",
    "slow-replica-random",
    "slow-replica-rr",
    "wedged-uniform-R2",
    "wedged-uniform-R0",
    "retry-indep-p0.1-R2",
    "retry-indep-p0.5-R2",
    "retry-depth",
    "fanout-exp-n10",
    "fanout-slow-fraction-100",
    "fanout-slow-fraction-2000",
    "forkjoin2-0.5",
    "tandem2",
    "healthcheck-I30-k2",
    "outlier-q1.0-N5",
    "outlier-q0.5-N5",
    "mginf-20",
    "mm1-transient-t1",
    "mm1-transient-t100",
    "mt-m-inf-step-0.1",
    "mt-m-inf-step-0.3",
    "bronson-hotos21-stable",
    "bronson-hotos21-metastable",
];

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn every_file_of_the_folder_is_in_the_library() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/validation");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut there: Vec<String> =
            names.filter_map(|name| name.strip_suffix(".toml").map(str::to_owned)).collect();
        let mut known: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        there.sort();
        known.sort_unstable();
        assert_eq!(there, known);
    }
}
