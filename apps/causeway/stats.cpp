#include "stats.hpp"

namespace causeway::cli {

std::string_view state_name(std::uint32_t state) {
    switch (static_cast<abi::QueuePairState>(state)) {
        case abi::QueuePairState::idle:
            return "idle";
        case abi::QueuePairState::connecting:
            return "connecting";
        case abi::QueuePairState::connected:
            return "connected";
        case abi::QueuePairState::refused:
            return "refused";
        case abi::QueuePairState::closed:
            return "closed";
    }
    return "unknown";
}

std::string_view executor_name(std::uint32_t executor) {
    switch (static_cast<abi::Executor>(executor)) {
        case abi::Executor::any:
            return "-";
        case abi::Executor::adapter:
            return "adapter";
        case abi::Executor::direct:
            return "direct";
        case abi::Executor::link:
            return "link";
    }
    return "unknown";
}

std::vector<std::string> right_names(std::uint32_t rights) {
    std::vector<std::string> names;
    if ((rights & abi::right::kRemoteWrite) != 0)
        names.emplace_back("write");
    if ((rights & abi::right::kRemoteRead) != 0)
        names.emplace_back("read");
    if ((rights & abi::right::kAppend) != 0)
        names.emplace_back("append");
    if ((rights & abi::right::kExportable) != 0)
        names.emplace_back("exportable");
    return names;
}

}  // namespace causeway::cli
