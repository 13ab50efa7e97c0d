#include "neighbours/cost.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "stats.hpp"
#include "text.hpp"

namespace causeway::bench {
namespace {

// User and system time of a process or thread by its stat file; 0 if it is gone.
double seconds_of(const std::filesystem::path& stat) {
    std::ifstream file(stat);
    std::string text;
    std::getline(file, text);
    const auto name_end = text.rfind(')');
    if (name_end == std::string::npos)
        return 0;
    std::istringstream fields(text.substr(name_end + 2));  // from the third field on
    std::string skipped;
    for (int field = 3; field < 14; ++field)
        fields >> skipped;
    double user = 0;
    double system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

std::string name_of(const std::filesystem::path& task) {
    std::ifstream file(task / "comm");
    std::string name;
    std::getline(file, name);
    return name;
}

// The thread that serves `partition`.
std::string mover_of(const std::string& partition, const std::string& socket) {
    if (const auto pairs =
            cli::stats_rows<abi::QueuePairRow>(socket, abi::StatsKind::queue_pairs)) {
        for (const abi::QueuePairRow& row : *pairs) {
            if (cli::array_text(row.partition) == partition)
                return fmt::format("cw-mover-{}", row.mover);
        }
    }
    return {};
}

}  // namespace

Cost Cost::of(const std::vector<pid_t>& neighbours, const std::string& measured,
              const std::string& socket) {
    Cost cost;
    for (const pid_t neighbour : neighbours)
        cost.seconds += seconds_of(fmt::format("/proc/{}/stat", neighbour));
    const auto adapter = cli::stats_rows<abi::AdapterRow>(socket, abi::StatsKind::adapter);
    if (!adapter || adapter->empty())
        return cost;
    const std::string mover = mover_of(measured, socket);
    std::error_code ended;
    for (const auto& task : std::filesystem::directory_iterator(
             fmt::format("/proc/{}/task", adapter->front().pid), ended)) {
        if (name_of(task.path()) != mover)
            cost.seconds += seconds_of(task.path() / "stat");
    }
    return cost;
}

}  // namespace causeway::bench
