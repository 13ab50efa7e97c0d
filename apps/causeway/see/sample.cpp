#include "see/sample.hpp"

#include <unistd.h>

#include <ctime>
#include <fstream>
#include <sstream>

#include "base/result.hpp"
#include "stats.hpp"

namespace causeway::cli {
namespace {

std::uint64_t monotonic_now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace

bool parse_cpu_ticks(const std::string& stat, std::uint64_t& ticks) {
    // The name, in parentheses, may hold anything; behind it stand state and numbers.
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos)
        return false;
    std::istringstream fields(stat.substr(name_end + 1));
    std::string skipped;
    for (int i = 3; i < 14; ++i)
        fields >> skipped;
    std::uint64_t user = 0;
    std::uint64_t system = 0;
    if (!(fields >> user >> system))
        return false;
    ticks = user + system;
    return true;
}

bool process_cpu_ns(std::uint32_t pid, std::uint64_t& ns) {
    static const long hertz = ::sysconf(_SC_CLK_TCK);
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::uint64_t ticks = 0;
    if (pid == 0 || hertz <= 0 || !std::getline(file, text, '\0') || !parse_cpu_ticks(text, ticks))
        return false;
    ns = ticks * (1'000'000'000 / static_cast<std::uint64_t>(hertz));
    return true;
}

Result<Sample> take_sample(const std::string& socket) {
    using Kind = abi::StatsKind;
    Sample sample;
    CW_TRY_ASSIGN(const auto adapter, stats_rows<abi::AdapterRow>(socket, Kind::adapter));
    if (adapter.size() != 1)
        return fail_format(ErrorCode::protocol,
                           "the adapter described itself in %zu rows instead of one: are causewayd "
                           "and causeway of the same release?",
                           adapter.size());
    sample.adapter = adapter.front();
    // First: the movers are asked for these between two turns, so that all that anybody has seen
    // completed is counted in what is asked for next.
    CW_TRY_ASSIGN(sample.queue_pairs, stats_rows<abi::QueuePairRow>(socket, Kind::queue_pairs));
    CW_TRY_ASSIGN(sample.partitions, stats_rows<abi::PartitionRow>(socket, Kind::partitions));
    CW_TRY_ASSIGN(sample.movers, stats_rows<abi::MoverRow>(socket, Kind::movers));
    CW_TRY_ASSIGN(sample.denials, stats_rows<abi::DenialRow>(socket, Kind::denials));
    CW_TRY_ASSIGN(sample.histograms, stats_rows<abi::HistogramRow>(socket, Kind::histograms));
    for (const abi::PartitionRow& row : sample.partitions) {
        if (std::uint64_t ns = 0; process_cpu_ns(row.pid, ns))
            sample.cpu_ns[row.pid] = ns;
    }
    sample.at_ns = monotonic_now();
    return sample;
}

}  // namespace causeway::cli
