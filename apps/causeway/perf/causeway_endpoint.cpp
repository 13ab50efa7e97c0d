// Send, Write and Read over a queue pair.
#include "perf/causeway_endpoint.hpp"

#include <utility>

namespace causeway::perf {
namespace {

// `offset` bytes behind `base`.
Remote behind(Remote base, std::uint64_t offset) noexcept {
    base.address += offset;
    return base;
}

// Send into posted receives, one for each buffer.
class SendEndpoint final : public CausewayEndpoint {
public:
    using CausewayEndpoint::CausewayEndpoint;

    Result<void> open() override {
        CW_TRY(connection_.open(plan_, role_, plan_.buffers));
        CW_TRY_ASSIGN(outgoing_, Slots::make(connection_.partition(), plan_, Access::local));
        CW_TRY_ASSIGN(incoming_, Slots::make(connection_.partition(), plan_, Access::local));
        for (std::uint32_t slot = 0; slot < plan_.buffers; ++slot)
            CW_TRY(post(slot));
        return connection_.connect(side_);
    }
    std::span<std::byte> buffer(std::uint32_t slot) override { return outgoing_.bytes(slot); }
    Result<void> submit(std::uint32_t slot) override {
        CW_TRY(connection_.reserve());
        const Slice slice = outgoing_.slice(slot);
        return connection_.posted(cw_post_send(connection_.pair(), &slice, 1, connection_.next_id(),
                                               connection_.next_flags(), 0));
    }
    Result<std::span<std::byte>> receive() override {
        CW_TRY_ASSIGN(const auto arrival, connection_.next_arrival());
        received_ = static_cast<std::uint32_t>(arrival.id);
        return incoming_.bytes(received_).first(arrival.length);
    }
    Result<void> release() override { return post(received_); }

private:
    [[nodiscard]] Result<void> post(std::uint32_t slot) {
        const Slice slice = incoming_.slice(slot);
        return connection_.post_receive(&slice, 1, slot);
    }
    Slots outgoing_;
    Slots incoming_;
    std::uint32_t received_ = 0;  // slot that is out
};

// Write with immediate, which names the buffer. A buffer's next Write cannot begin before its
// receive was posted again, after release(): so the receives are the credits.
class WriteEndpoint final : public CausewayEndpoint {
public:
    using CausewayEndpoint::CausewayEndpoint;

    Result<void> open() override {
        CW_TRY(connection_.open(plan_, role_, plan_.buffers));
        CW_TRY_ASSIGN(outgoing_, Slots::make(connection_.partition(), plan_, Access::local));
        CW_TRY_ASSIGN(incoming_, Slots::make(connection_.partition(), plan_, Access::remote_write));
        for (std::uint32_t slot = 0; slot < plan_.buffers; ++slot)
            CW_TRY(release());
        CW_TRY(connection_.connect(side_));
        CW_TRY_ASSIGN(target_, swap_remotes(incoming_.remote()));
        return {};
    }
    std::span<std::byte> buffer(std::uint32_t slot) override { return outgoing_.bytes(slot); }
    Result<void> submit(std::uint32_t slot) override {
        CW_TRY(connection_.reserve());
        const Slice slice = outgoing_.slice(slot);
        const Remote remote = behind(target_, next_ * incoming_.stride());
        const std::uint32_t immediate = std::exchange(next_, (next_ + 1) % plan_.buffers);
        return connection_.posted(
            cw_post_write(connection_.pair(), &slice, 1, &remote, connection_.next_id(),
                          connection_.next_flags() | CW_IMMEDIATE, immediate));
    }
    Result<std::span<std::byte>> receive() override {
        CW_TRY_ASSIGN(const auto arrival, connection_.next_arrival());
        return incoming_.bytes(arrival.immediate % plan_.buffers);
    }
    Result<void> release() override { return connection_.post_receive(nullptr, 0, 0); }

private:
    Slots outgoing_;
    Slots incoming_;
    Remote target_{};
    std::uint32_t next_ = 0;  // the peer's buffer for the next message
};

// The initiator reads the responder's buffers.
class ReadEndpoint final : public CausewayEndpoint {
public:
    using CausewayEndpoint::CausewayEndpoint;

    Result<void> open() override {
        CW_TRY(connection_.open(plan_, role_, 0));
        const Access access = role_ == Role::responder ? Access::remote_read : Access::local;
        CW_TRY_ASSIGN(slots_, Slots::make(connection_.partition(), plan_, access));
        CW_TRY(connection_.connect(side_));
        CW_TRY_ASSIGN(source_, swap_remotes(slots_.remote()));
        return {};
    }
    std::span<std::byte> buffer(std::uint32_t slot) override { return slots_.bytes(slot); }
    Result<void> submit(std::uint32_t slot) override {
        CW_TRY(connection_.reserve());
        const Slice slice = slots_.slice(slot);
        const Remote remote = behind(source_, slot * slots_.stride());
        return connection_.posted(cw_post_read(connection_.pair(), &slice, 1, &remote,
                                               connection_.next_id(), connection_.next_flags()));
    }
    Result<std::span<std::byte>> receive() override {
        while (connection_.completed() == delivered_)
            CW_TRY(connection_.progress());
        return slots_.bytes(static_cast<std::uint32_t>((delivered_++ - first_) % plan_.buffers));
    }
    Result<void> release() override { return {}; }
    Result<void> begin_round() override {
        CW_TRY(CausewayEndpoint::begin_round());
        first_ = delivered_ = connection_.next_id();
        return {};
    }

private:
    Slots slots_;
    Remote source_{};
    std::uint64_t delivered_ = 0;  // reads that receive() has given out
    std::uint64_t first_ = 0;      // of this round
};

}  // namespace

Result<std::unique_ptr<Endpoint>> make_causeway_endpoint(const Plan& plan, Role role,
                                                         SideChannel& side) {
    std::unique_ptr<CausewayEndpoint> endpoint;
    switch (plan.operation) {
        case Operation::send:
            endpoint = std::make_unique<SendEndpoint>(plan, role, side);
            break;
        case Operation::write:
            endpoint = std::make_unique<WriteEndpoint>(plan, role, side);
            break;
        case Operation::read:
            endpoint = std::make_unique<ReadEndpoint>(plan, role, side);
            break;
        case Operation::append:
            endpoint = make_append_endpoint(plan, role, side);
            break;
    }
    CW_TRY(endpoint->open());
    return endpoint;
}

}  // namespace causeway::perf
