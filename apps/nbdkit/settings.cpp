#include "settings.hpp"

#include <cstdlib>
#include <cstring>

#include "nbdkit.hpp"

namespace causeway::nbd {
namespace {

constexpr unsigned kMostDepth = 4096;

[[nodiscard]] bool set_access(Settings& settings, const std::string& value) {
    if (value == "read")
        settings.access = block::Access::read;
    else if (value == "write")
        settings.access = block::Access::write;
    else if (value == "shared")
        settings.access = block::Access::shared;
    else if (value == "most")
        settings.access = block::Access::most;
    else {
        nbdkit_error(
            "access=%s: it is read, write (as the only partition that writes), shared "
            "(as others may) or most (write where that is allowed, else read)",
            value.c_str());
        return false;
    }
    return true;
}

[[nodiscard]] bool set_executor(Settings& settings, const std::string& value) {
    if (value != "any" && value != "adapter" && value != "direct") {
        nbdkit_error("executor=%s: it is any (as policy has it), adapter or direct", value.c_str());
        return false;
    }
    settings.executor = value;
    return true;
}

[[nodiscard]] bool set_timeout(Settings& settings, const char* value) {
    unsigned seconds = 0;
    if (nbdkit_parse_unsigned("timeout", value, &seconds) != 0)
        return false;
    settings.timeout =
        seconds == 0 ? block::kForever : std::chrono::nanoseconds(std::chrono::seconds(seconds));
    return true;
}

[[nodiscard]] bool set_depth(Settings& settings, const char* value) {
    unsigned depth = 0;
    if (nbdkit_parse_unsigned("depth", value, &depth) != 0)
        return false;
    if (depth == 0 || depth > kMostDepth) {
        nbdkit_error("depth=%s: requests outstanding at once are from 1 to %u", value, kMostDepth);
        return false;
    }
    settings.depth = depth;
    return true;
}

[[nodiscard]] bool set_socket(Settings& settings, const char* value) {
    char* const path = nbdkit_absolute_path(value);  // nbdkit goes to / before it serves
    if (path == nullptr)
        return false;
    settings.socket = path;
    std::free(path);
    return true;
}

}  // namespace

const char* const kHelp =
    "unit=PARTITION/DISK      (required) The disk, as `causeway bus` lists it.\n"
    "attach=NAME              Join as this partition (default: nbd-PID; at a named\n"
    "                         entrance: its own name).\n"
    "socket=PATH              Socket of the adapter (default: $CAUSEWAY_SOCKET, then\n"
    "                         the usual places).\n"
    "access=ACCESS            read, write, shared or most (default: most).\n"
    "executor=EXECUTOR        any, adapter or direct (default: any).\n"
    "timeout=SECONDS          After which a request that the unit has not done fails\n"
    "                         (default: 60; 0: never).\n"
    "depth=N                  Requests outstanding at once (default: 128).";

bool set(Settings& settings, const std::string& key, const char* value) {
    if (key == "unit") {
        settings.unit = value;
    } else if (key == "attach") {
        settings.attach = value;
        settings.attach_given = true;
    } else if (key == "socket") {
        return set_socket(settings, value);
    } else if (key == "access") {
        return set_access(settings, value);
    } else if (key == "executor") {
        return set_executor(settings, value);
    } else if (key == "timeout") {
        return set_timeout(settings, value);
    } else if (key == "depth") {
        return set_depth(settings, value);
    } else {
        nbdkit_error("%s: no such parameter; nbdkit causeway --help lists them", key.c_str());
        return false;
    }
    return true;
}

bool complete(const Settings& settings) {
    const auto slash = settings.unit.find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == settings.unit.size()) {
        nbdkit_error(
            "%s: name the disk as PARTITION/DISK, such as unit=storage/disk0; "
            "`causeway bus` lists what there is",
            settings.unit.empty() ? "no unit given" : settings.unit.c_str());
        return false;
    }
    return true;
}

}  // namespace causeway::nbd
