#include "perf/causeway_connection.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace causeway::perf {
namespace {

constexpr std::uint64_t kLine = 64;
constexpr std::uint64_t kPageBytes = 4096;
constexpr char kService[] = "perf";

struct Name {
    char text[64];
};

Result<Partition> join(const std::string& name, const std::string& socket) {
    auto partition = Partition::attach(name, {.socket = socket});
    if (partition.has_value() || partition.error().code != ErrorCode::denied)
        return partition;
    return fail(ErrorCode::denied,
                fmt::format("{}; a measurement joins as two partitions under names of its own, "
                            "which takes an open entrance: give --socket DIR/fabric.sock of an "
                            "adapter of this user, or no --socket for a private adapter",
                            partition.error().text));
}

std::uint32_t ring_entries(std::uint64_t wanted) {
    return static_cast<std::uint32_t>(std::bit_ceil(std::max<std::uint64_t>(wanted, 8)));
}

}  // namespace

Result<Slots> Slots::make(Partition& partition, const Plan& plan, Access access) {
    Slots slots;
    const std::uint64_t unit = plan.size >= kPageBytes ? kPageBytes : kLine;
    slots.size_ = plan.size;
    slots.stride_ = (plan.size + unit - 1) / unit * unit;
    CW_TRY_ASSIGN(slots.region_,
                  partition.allocate(slots.stride_ * plan.buffers, access | Access::exportable));
    slots.base_ = slots.region_.data();
    slots.handle_ = slots.region_.slice(0, 0).handle;
    return slots;
}

Result<void> Connection::open(const Plan& plan, Role role, std::uint32_t receives) {
    role_ = role;
    wait_ = static_cast<cw_wait>(plan.wait);
    const std::string name = fmt::format("perf-{}-{}", ::getppid(), perf::name(role));
    CW_TRY_ASSIGN(partition_, join(name, plan.socket));
    const std::uint32_t sends = ring_entries(std::max(4 * plan.outstanding, 64U));
    const std::uint32_t receive_entries = ring_entries(receives);
    CW_TRY_ASSIGN(queue_, partition_.create_completion_queue(sends + receive_entries));
    CW_TRY_ASSIGN(pair_, partition_.create_queue_pair({.completions = queue_,
                                                       .send_entries = sends,
                                                       .receive_entries = receive_entries,
                                                       .executor = plan.executor.c_str()}));
    arrivals_.resize(receive_entries);
    if (plan.flow() == Flow::ping_pong)  // the answer tells; completions are for the ring's sake
        set_window(sends / 2, sends / 8);
    else if (plan.flow() == Flow::stream)
        set_window(plan.outstanding, std::max(1U, plan.outstanding / 4));
    else
        set_window(plan.outstanding, 1);
    return {};
}

Result<void> Connection::connect(SideChannel& side) {
    Name peer{};
    if (role_ == Role::responder) {
        CW_TRY_ASSIGN(Listener listener, partition_.listen(kService));
        const std::string own(partition_.name());
        std::memcpy(peer.text, own.data(), std::min(own.size(), sizeof peer.text - 1));
        CW_TRY(side.put(peer));
        return listener.accept(pair_, kPatience);
    }
    CW_TRY_ASSIGN(peer, side.get<Name>());
    return pair_.connect(fmt::format("{}/{}", peer.text, kService), kPatience);
}

Result<void> Connection::post_receive(const Slice* slices, std::uint32_t count, std::uint64_t id) {
    return detail::check(cw_post_receive(pair_.raw(), slices, count, id | kReceive));
}

Result<void> Connection::progress() {
    const int count = cw_completion_queue_wait(
        queue_.raw(), batch_.data(), kBatch,
        static_cast<std::uint64_t>(std::chrono::nanoseconds(kPatience).count()), wait_);
    if (count < 0)
        return detail::last_error(-count);
    if (count == 0)
        return fail(ErrorCode::timed_out, fmt::format("the {} waited {} s for a completion",
                                                      name(role_), kPatience.count()));
    for (int i = 0; i < count; ++i) {
        const cw_completion& completion = batch_[static_cast<std::size_t>(i)];
        if (completion.status != CW_SUCCESS)
            return failed(completion);
        if ((completion.id & kReceive) != 0) {
            arrivals_[arrived_++ & (arrivals_.size() - 1)] = {
                completion.id & ~kReceive, completion.length, completion.immediate};
        } else {
            completed_ = std::max(completed_, completion.id + 1);
        }
    }
    return {};
}

Result<void> Connection::failed(const cw_completion& completion) const {
    return fail(
        completion.status == CW_PEER_GONE ? ErrorCode::peer_gone : ErrorCode::system,
        fmt::format("a descriptor of the {} (opcode {}) ended with {}", name(role_),
                    completion.opcode, cw_status_name(static_cast<int>(completion.status))));
}

}  // namespace causeway::perf
