#include "client/stats.hpp"

#include <causeway/abi/control.hpp>

#include "control/channel.hpp"

namespace causeway::client {
namespace {

template<typename Row>
[[nodiscard]] Result<void> pass_on(control::Channel& channel, abi::StatsKind kind,
                                   const RowSink& sink) {
    CW_TRY_ASSIGN(const auto rows, channel.all_stats<Row>(kind));
    for (const Row& row : rows)
        sink(&row, sizeof row);
    return {};
}

}  // namespace

Result<void> read_stats(const std::string& socket, std::uint32_t kind, const RowSink& row) {
    CW_TRY_ASSIGN(const std::string path, control::fabric_socket_path(socket));
    CW_TRY_ASSIGN(control::Channel channel, control::Channel::connect(path));
    auto request = control::make<abi::AttachRequest>(abi::Request::attach);
    request.major_least = abi::kMajor;
    request.major_most = abi::kMajor;
    request.flags = abi::attach_flag::kObserver;  // a partition of the same entrance is undisturbed
    CW_TRY(channel.call<abi::AttachReply>(request));
    const auto wanted = static_cast<abi::StatsKind>(kind);
    switch (wanted) {
        case abi::StatsKind::adapter:
            return pass_on<abi::AdapterRow>(channel, wanted, row);
        case abi::StatsKind::partitions:
            return pass_on<abi::PartitionRow>(channel, wanted, row);
        case abi::StatsKind::queue_pairs:
            return pass_on<abi::QueuePairRow>(channel, wanted, row);
        case abi::StatsKind::regions:
            return pass_on<abi::RegionRow>(channel, wanted, row);
    }
    return fail_format(ErrorCode::invalid_argument,
                       "stats of kind %u wanted; there are kinds 0 to 3 (abi::StatsKind)", kind);
}

}  // namespace causeway::client
