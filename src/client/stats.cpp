#include "client/stats.hpp"

#include <causeway/abi/figures.hpp>
#include <causeway/abi/segment.hpp>

#include "base/names.hpp"
#include "client/secret.hpp"

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

Result<control::Channel> observe(const std::string& socket) {
    CW_TRY_ASSIGN(const std::string path, control::fabric_socket_path(socket));
    CW_TRY_ASSIGN(control::Channel channel, control::Channel::connect(path));
    auto request = control::make<abi::AttachRequest>(abi::Request::attach);
    request.major_least = abi::kMajor;
    request.major_most = abi::kMajor;
    request.flags = abi::attach_flag::kObserver;
    CW_TRY(bring_secret(request));
    CW_TRY(channel.call<abi::AttachReply>(request));
    return channel;
}

Result<std::string> reload_configuration(const std::string& socket) {
    CW_TRY_ASSIGN(control::Channel channel, observe(socket));
    auto request = control::make<abi::ReloadRequest>(abi::Request::reload);
    CW_TRY_ASSIGN(const auto reply, channel.call<abi::ReloadReply>(request));
    CW_TRY_ASSIGN(const std::string_view text, load_text(reply.text));
    return std::string(text);
}

Result<void> read_stats(const std::string& socket, std::uint32_t kind, const RowSink& row) {
    CW_TRY_ASSIGN(control::Channel channel, observe(socket));
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
        case abi::StatsKind::segments:
            return pass_on<abi::SegmentRow>(channel, wanted, row);
        case abi::StatsKind::movers:
            return pass_on<abi::MoverRow>(channel, wanted, row);
        case abi::StatsKind::denials:
            return pass_on<abi::DenialRow>(channel, wanted, row);
        case abi::StatsKind::histograms:
            return pass_on<abi::HistogramRow>(channel, wanted, row);
    }
    return fail_format(ErrorCode::invalid_argument,
                       "stats of kind %u wanted; there are kinds 0 to 7 (abi::StatsKind)", kind);
}

}  // namespace causeway::client
