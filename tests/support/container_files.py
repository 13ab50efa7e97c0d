"""Reads the compose file and the pod of examples/containers/, checks that mounts, entrances and the adapter's arguments
agree, and prints what a test runs: one line per container, `NAME VOLUME_MOUNT SUBPATH MODE` and its command in JSON,
separated by tabs, the adapter first.

    container_files.py compose.yaml|pod.yaml

Exit status 1: something does not agree, and the text says what.
"""
import json
import sys

import yaml


def die(text):
    sys.exit(f"{sys.argv[1]}: {text}")


def expect(condition, text):
    if not condition:
        die(text)


def of_compose(data):
    expect(set(data["volumes"]) == {"fabric"}, "one volume, fabric, is expected")
    options = data["volumes"]["fabric"]["driver_opts"]
    expect(options["type"] == "tmpfs" and "mode=0700" in options["o"], "the volume is to be a tmpfs of mode 0700")
    for name, service in data["services"].items():
        expect(service.get("read_only") is True, f"{name} is not read_only")
        expect(service.get("cap_drop") == ["ALL"], f"{name} keeps capabilities")
        expect(service.get("security_opt") == ["no-new-privileges:true"], f"{name} may gain privileges")
        expect(not service.get("privileged"), f"{name} is privileged")
        expect(service["user"].split(":")[0] != "0", f"{name} is root")
        (mount,) = service["volumes"]
        expect(mount["type"] == "volume" and mount["source"] == "fabric", f"{name} mounts something else")
        yield (name, service["command"], service["user"].split(":")[0], mount["target"],
               mount["volume"].get("subpath", ""), mount.get("read_only", False))


def of_pod(data):
    spec = data["spec"]
    expect(data["kind"] == "Pod" and data["apiVersion"] == "v1", "no pod")
    (volume,) = spec["volumes"]
    expect(set(volume) == {"name", "emptyDir"}, "the volume is no emptyDir")
    expect(volume["emptyDir"]["medium"] == "Memory", "the emptyDir is not in memory")
    (sidecar,) = spec["initContainers"]
    expect(sidecar["restartPolicy"] == "Always", "the init container is no sidecar")
    expect("startupProbe" in sidecar, "nobody waits for the sidecar")
    for container in [sidecar] + spec["containers"]:
        name, context = container["name"], container["securityContext"]
        expect(context["capabilities"] == {"drop": ["ALL"]}, f"{name} keeps capabilities")
        expect(context["readOnlyRootFilesystem"] is True, f"{name} can write")
        expect(context["allowPrivilegeEscalation"] is False, f"{name} may gain privileges")
        expect(context["runAsUser"] != 0, f"{name} is root")
        (mount,) = container["volumeMounts"]
        expect(mount["name"] == volume["name"], f"{name} mounts something else")
        yield (name, container["command"], str(context["runAsUser"]), mount["mountPath"], mount.get("subPath", ""),
               mount.get("readOnly", False))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        data = yaml.safe_load(file)
    containers = list(of_compose(data) if "services" in data else of_pod(data))
    name, command, user, mount, subpath, read_only = containers[0]
    expect(command[0] == "causewayd", "the first container is not the adapter")
    expect(not subpath and not read_only, "the adapter needs all of the volume, to write")
    pairs = list(zip(command[1::2], command[2::2]))
    (runtime,) = [value for option, value in pairs if option == "--runtime-dir"]
    expect(runtime.startswith(mount + "/"), f"runtime directory {runtime} does not lie below the volume at {mount}")
    below = runtime[len(mount) + 1:]
    entrances = [value for option, value in pairs if option == "--entrance"]
    print(name, mount, subpath or "-", "rw", json.dumps(command), sep="\t")
    users, taken = {user}, []
    for name, command, user, mount, subpath, read_only in containers[1:]:
        expect(read_only, f"{name} may write into its entrance")
        expect(subpath in [f"{below}/{entrance}" for entrance in entrances],
               f"{name} mounts {subpath or 'the whole volume'}, which is the directory of no entrance")
        expect(mount == "/run/causeway", f"{name} mounts its entrance at {mount}, where nobody looks for it")
        expect(user not in users, f"{name} runs as user {user}, like another")
        users.add(user)
        taken.append(subpath)
        print(name, mount, subpath, "ro", json.dumps(command), sep="\t")
    expect(sorted(taken) == sorted(f"{below}/{entrance}" for entrance in entrances),
           f"entrances {entrances}, but {taken} are mounted")


main()
