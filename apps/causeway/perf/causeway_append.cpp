// Append to a log region of the responder.
//
// An Append tells nobody but its poster. So that the responder knows how far it may read, the
// initiator sends it, behind every few Appends on the same queue pair, an empty message whose
// immediate is the number of records in the log. A log that is full is replaced between two rounds.
#include <algorithm>
#include <optional>

#include "perf/causeway_endpoint.hpp"

namespace causeway::perf {
namespace {

constexpr std::uint64_t kLeastLog = std::uint64_t{64} << 20;  // bytes
constexpr std::uint64_t kMostLog = std::uint64_t{512} << 20;
constexpr std::uint64_t kRecordsWanted = 256;
constexpr std::uint64_t kNoticeBytes = 64 << 10;  // a notice at least every so many
constexpr std::uint32_t kReceives = 64;           // for notices

class AppendEndpoint final : public CausewayEndpoint {
public:
    using CausewayEndpoint::CausewayEndpoint;

    Result<void> open() override {
        log_size_ = std::clamp(plan_.size * kRecordsWanted, kLeastLog, kMostLog);
        log_size_ = std::max(log_size_, 2 * plan_.size * plan_.buffers);
        notice_every_ = std::clamp<std::uint64_t>(kNoticeBytes / plan_.size, 1,
                                                  std::max(1U, plan_.outstanding / 4));
        CW_TRY(connection_.open(plan_, role_, kReceives));
        // A notice takes a place in the window too.
        if (plan_.flow() == Flow::stream)
            connection_.set_window(2 * plan_.outstanding, std::max(1U, plan_.outstanding / 4));
        if (role_ == Role::initiator) {
            CW_TRY_ASSIGN(outgoing_, Slots::make(connection_.partition(), plan_, Access::local));
        } else {
            for (std::uint32_t i = 0; i < kReceives; ++i)
                CW_TRY(connection_.post_receive(nullptr, 0, i));
        }
        return connection_.connect(side_);
    }

    std::span<std::byte> buffer(std::uint32_t slot) override {
        return role_ == Role::initiator ? outgoing_.bytes(slot) : std::span<std::byte>();
    }

    Result<void> submit(std::uint32_t slot) override {
        CW_TRY(connection_.reserve());
        const Slice slice = outgoing_.slice(slot);
        CW_TRY(connection_.posted(cw_post_append(connection_.pair(), &slice, 1, &log_remote_,
                                                 connection_.next_id(), connection_.next_flags())));
        ++appended_;
        if (plan_.flow() == Flow::stream && appended_ - announced_ >= notice_every_)
            CW_TRY(announce());
        return {};
    }
    void mark_last() noexcept override {}  // announce() is the last post
    Result<void> flush() override { return announced_ < appended_ ? announce() : Result<void>(); }

    Result<std::span<std::byte>> receive() override {
        while (delivered_ == announced_) {
            CW_TRY_ASSIGN(const auto arrival, connection_.next_arrival());
            announced_ = arrival.immediate;
            CW_TRY(connection_.post_receive(nullptr, 0, arrival.id));
        }
        return log_->bytes().subspan(delivered_++ * plan_.size, plan_.size);
    }
    Result<void> release() override { return {}; }

    Result<void> begin_round() override {
        CW_TRY(CausewayEndpoint::begin_round());
        appended_ = announced_ = delivered_ = 0;
        if (role_ == Role::initiator) {
            CW_TRY_ASSIGN(log_remote_, side_.get<Remote>());
            return {};
        }
        log_.reset();
        CW_TRY_ASSIGN(log_, connection_.partition().allocate(log_size_, Access::append));
        return side_.put(log_->remote());
    }
    std::uint64_t round_limit() const override { return log_size_ / plan_.size; }

private:
    [[nodiscard]] Result<void> announce() {
        CW_TRY(connection_.reserve());
        announced_ = appended_;
        return connection_.posted(cw_post_send(
            connection_.pair(), nullptr, 0, connection_.next_id(),
            connection_.next_flags() | CW_IMMEDIATE, static_cast<std::uint32_t>(announced_)));
    }

    std::uint64_t log_size_ = 0;
    std::uint64_t notice_every_ = 1;
    // Records of this round: appended (initiator), known to the responder, given out by receive().
    std::uint64_t appended_ = 0;
    std::uint64_t announced_ = 0;
    std::uint64_t delivered_ = 0;
    Slots outgoing_;             // initiator
    Remote log_remote_{};        // initiator
    std::optional<Region> log_;  // responder
};

}  // namespace

std::unique_ptr<CausewayEndpoint> make_append_endpoint(const Plan& plan, Role role,
                                                       SideChannel& side) {
    return std::make_unique<AppendEndpoint>(plan, role, side);
}

}  // namespace causeway::perf
