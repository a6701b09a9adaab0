//! The manifests of deploy/kubernetes, held to the types of the Kubernetes API and to what their page says of them. No control plane is
//! to be had here.

use std::{collections::BTreeMap, fs, process::Stdio};

use k8s_openapi::{
    api::{
        apps::v1::Deployment,
        batch::v1::Job,
        core::v1::{Container, PersistentVolumeClaim, PodSpec, PodTemplateSpec, Service},
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::scene;

const FOLDER: &str = "deploy/kubernetes";

/// A document as a type of the API, which must have a field for everything in it: a name that is written wrongly is ignored by none but
/// this test.
fn held<T: Serialize + DeserializeOwned>(document: &Value, name: &str) -> T {
    let typed: T = serde_json::from_value(document.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let back = serde_json::to_value(&typed).unwrap();
    assert_eq!(&back, document, "{name}: what is missing on the left is no field of the type");
    typed
}

fn read<T: Serialize + DeserializeOwned>(path: &str) -> T {
    let text =
        fs::read_to_string(scene::file(FOLDER).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    held(&serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}")), path)
}

fn server() -> Deployment {
    read("server/deployment.yaml")
}

fn generators() -> Job {
    read("generators/job.yaml")
}

fn pod(template: &PodTemplateSpec) -> &PodSpec {
    template.spec.as_ref().unwrap()
}

fn labels(template: &PodTemplateSpec) -> &BTreeMap<String, String> {
    template.metadata.as_ref().unwrap().labels.as_ref().unwrap()
}

fn only(pod: &PodSpec) -> &Container {
    let [container] = &pod.containers[..] else { panic!("one container") };
    container
}

/// All three kinds of Pod.
fn templates() -> [(&'static str, PodTemplateSpec); 3] {
    let merge: Job = read("merge/job.yaml");
    [
        ("server", server().spec.unwrap().template),
        ("generators", generators().spec.unwrap().template),
        ("merge", merge.spec.unwrap().template),
    ]
}

/// What kustomize makes of a folder; `None`, and why, where there is no kubectl.
fn rendered(folder: &str) -> Option<Vec<Value>> {
    let mut kubectl = host::tether::command("kubectl");
    let output = kubectl.arg("kustomize").arg(scene::file(FOLDER).join(folder)).stdin(Stdio::null()).output();
    let Ok(output) = output else {
        eprintln!("skipped: no kubectl (apt-get install kubernetes-client)");
        return None;
    };
    assert!(output.status.success(), "{folder}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect())
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Option<&'a Value> {
    documents.iter().find(|document| document["kind"] == kind)
}

#[test]
fn every_pod_has_whole_cpus_of_its_own_and_no_right_that_it_does_not_need() {
    for (name, template) in templates() {
        let pod = pod(&template);
        let container = only(pod);
        let resources = container.resources.as_ref().unwrap();
        // Guaranteed: as much asked for as allowed, of both.
        assert_eq!(resources.requests, resources.limits, "{name}");
        let limits = resources.limits.as_ref().unwrap();
        assert!(limits["cpu"].0.parse::<u32>().is_ok_and(|cpus| cpus > 0), "{name}: {:?}", limits["cpu"]);
        assert!(limits.contains_key("memory"), "{name}");
        let rights = container.security_context.as_ref().unwrap();
        assert_eq!(rights.allow_privilege_escalation, Some(false), "{name}");
        assert_eq!(rights.read_only_root_filesystem, Some(true), "{name}");
        assert_eq!(
            rights.capabilities.as_ref().unwrap().drop.as_deref(),
            Some(&["ALL".to_owned()][..]),
            "{name}"
        );
        let user = pod.security_context.as_ref().unwrap();
        // The image's own.
        assert_eq!((user.run_as_non_root, user.run_as_user), (Some(true), Some(10_001)), "{name}");
        assert_eq!(user.seccomp_profile.as_ref().unwrap().type_, "RuntimeDefault", "{name}");
        assert_eq!(pod.automount_service_account_token, Some(false), "{name}");
    }
}

#[test]
fn the_server_is_ready_when_it_says_so_and_is_not_replaced_under_load() {
    let template = server().spec.unwrap().template;
    let container = only(pod(&template));
    let port = &container.ports.as_ref().unwrap()[0];
    assert_eq!((port.name.as_deref(), port.container_port), (Some("http"), 8080), "the port of the image");
    for probe in [&container.startup_probe, &container.readiness_probe] {
        let asked = probe.as_ref().unwrap().http_get.as_ref().unwrap();
        assert_eq!(asked.path.as_deref(), Some("/healthz"));
        assert_eq!(asked.port, IntOrString::String("http".to_owned()));
    }
    assert!(container.liveness_probe.is_none());
}

#[test]
fn generators_find_the_server_by_the_name_of_its_service() {
    let service: Service = read("server/service.yaml");
    let spec = service.spec.unwrap();
    let template = server().spec.unwrap();
    assert_eq!(spec.selector.as_ref(), Some(labels(&template.template)));
    assert_eq!(template.selector.match_labels.as_ref(), Some(labels(&template.template)));
    assert_eq!(spec.cluster_ip.as_deref(), Some("None"), "nothing is between them");
    let url = format!("http://{}:{}/", service.metadata.name.unwrap(), spec.ports.unwrap()[0].port);
    let job = generators().spec.unwrap();
    let command = only(pod(&job.template)).command.as_ref().unwrap();
    assert!(command[2].starts_with(&url), "{command:?}");
}

#[test]
fn there_are_as_many_parts_as_pods_all_at_a_time_and_none_is_started_again() {
    let job = generators().spec.unwrap();
    assert_eq!(job.completion_mode.as_deref(), Some("Indexed"));
    assert_eq!(job.completions, job.parallelism);
    assert_eq!(job.backoff_limit, Some(0));
    assert!(job.active_deadline_seconds.is_some_and(|seconds| seconds > 0));
    let pod = pod(&job.template);
    assert_eq!(pod.restart_policy.as_deref(), Some("Never"));
    let container = only(pod);
    let parts = container.env.as_ref().unwrap().iter().find(|variable| variable.name == "PARTS").unwrap();
    assert_eq!(parts.value.as_deref(), Some(&*job.completions.unwrap().to_string()));
    let command = container.command.as_ref().unwrap();
    assert!(command.contains(&"--part=$(PART)/$(PARTS)".to_owned()), "{command:?}");
    // Where the parts meet is what they share.
    assert!(command.contains(&"--gather=/gather".to_owned()), "{command:?}");
    let mounted =
        container.volume_mounts.as_ref().unwrap().iter().find(|mount| mount.mount_path == "/gather").unwrap();
    let volume = pod.volumes.as_ref().unwrap().iter().find(|volume| volume.name == mounted.name).unwrap();
    let claim: PersistentVolumeClaim = read("generators/volume.yaml");
    assert_eq!(
        Some(&volume.persistent_volume_claim.as_ref().unwrap().claim_name),
        claim.metadata.name.as_ref()
    );
    assert_eq!(claim.spec.unwrap().access_modes.as_deref(), Some(&["ReadWriteMany".to_owned()][..]));
}

#[test]
fn no_generator_shares_a_node_with_another_or_with_the_server() {
    let job = generators().spec.unwrap();
    let affinity = pod(&job.template).affinity.as_ref().unwrap().pod_anti_affinity.as_ref().unwrap();
    let terms = affinity.required_during_scheduling_ignored_during_execution.as_ref().unwrap();
    let [term] = &terms[..] else { panic!("one term") };
    assert_eq!(term.topology_key, "kubernetes.io/hostname");
    let avoided = |labels: &BTreeMap<String, String>| selects(term.label_selector.as_ref().unwrap(), labels);
    let [server, generators, merge] = templates();
    assert!(avoided(labels(&server.1)) && avoided(labels(&generators.1)));
    assert!(!avoided(labels(&merge.1)), "it may run anywhere");
}

#[test]
fn on_io_uring_the_profile_of_this_repository_is_in_force() {
    let Some(documents) = rendered("server-io-uring") else { return };
    let deployment: Deployment = held(of_kind(&documents, "Deployment").unwrap(), "server-io-uring");
    let template = deployment.spec.unwrap().template;
    let container = only(pod(&template));
    assert_eq!(container.command.as_ref().unwrap()[0], "thread-per-core");
    let profile = container.security_context.as_ref().unwrap().seccomp_profile.as_ref().unwrap();
    assert_eq!(profile.type_, "Localhost");
    let file = profile.localhost_profile.as_deref().unwrap();
    let page = fs::read_to_string(scene::file(FOLDER).join("README.md")).unwrap();
    assert!(
        page.contains(&format!("/var/lib/kubelet/seccomp/{file}")),
        "the page puts it elsewhere than {file}"
    );
}

#[test]
fn without_a_shared_volume_parts_are_told_the_start_and_keep_what_they_found() {
    let Some(documents) = rendered("generators-without-volume") else { return };
    assert!(of_kind(&documents, "PersistentVolumeClaim").is_none());
    let job: Job = held(of_kind(&documents, "Job").unwrap(), "generators-without-volume");
    let template = job.spec.unwrap().template;
    let pod = pod(&template);
    let gather = pod.volumes.as_ref().unwrap().iter().find(|volume| volume.name == "gather").unwrap();
    assert!(gather.empty_dir.is_some() && gather.persistent_volume_claim.is_none());
    let command = only(pod).command.as_ref().unwrap();
    assert_eq!([&*command[0], &command[1], &command[4], &command[5]], ["bash", "-c", "harness", "load"]);
    for wanted in
        ["--gather=/gather", "--apart", "--start-at=$(START_AT)", "--seed=1", "--part=$(PART)/$(PARTS)"]
    {
        assert!(command.iter().any(|word| word == wanted), "no {wanted} in {command:?}");
    }
    assert!(
        !command.iter().any(|word| word.starts_with("--gather-within")),
        "nobody to wait for: {command:?}"
    );
    // The script waits with an end.
    assert!(command[2].contains("-lt 600"), "{}", command[2]);
}

#[test]
fn every_folder_is_one_that_kustomize_takes_with_the_image_of_this_repository() {
    for folder in ["server", "server-io-uring", "generators", "generators-without-volume", "merge"] {
        let Some(documents) = rendered(folder) else { return };
        for document in &documents {
            let containers = document.pointer("/spec/template/spec/containers").and_then(Value::as_array);
            for container in containers.into_iter().flatten() {
                assert_eq!(container["image"], "server-architectures:local", "{folder}");
            }
        }
    }
}

/// Whether a selector of labels takes these: those that are given, and expressions of `In`.
fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let same = |(key, value): (&String, &String)| labels.get(key) == Some(value);
    let equal = selector.match_labels.iter().flatten().all(same);
    let among = selector.match_expressions.iter().flatten().all(|expression| {
        assert_eq!(expression.operator, "In");
        let values = expression.values.as_deref().unwrap_or_default();
        labels.get(&expression.key).is_some_and(|value| values.contains(value))
    });
    equal && among
}
