// iceoryx: publish and subscribe through chunks of shared memory that its daemon, RouDi, manages.
//
// Two ways: with a copy into the chunk and one out of it, so that both ends have the message in
// memory of their own; and in place, as its users use it: the receiver reads in the chunk, and the
// sender publishes chunks that hold the message already (it is put there outside the timed part,
// except into chunks that come up late).
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iceoryx_posh/popo/untyped_publisher.hpp>
#include <iceoryx_posh/popo/untyped_subscriber.hpp>
#include <iceoryx_posh/popo/wait_set.hpp>
#include <iceoryx_posh/runtime/posh_runtime.hpp>
#include <optional>
#include <vector>

#include "peer/peer.hpp"
#include "perf/endpoint.hpp"
#include "platform/clock.hpp"
#include "platform/cpu.hpp"

namespace causeway::bench {
namespace {

using namespace perf;

constexpr std::uint32_t kChunkAlignment = 64;
constexpr unsigned kTriesPerLook = 1 << 20;
constexpr std::size_t kLoansAtOnce = iox::MAX_CHUNKS_ALLOCATED_PER_PUBLISHER_SIMULTANEOUSLY;
constexpr std::uint64_t kQueueLimit = iox::MAX_SUBSCRIBER_QUEUE_CAPACITY;

iox::capro::IdString_t id_string(const std::string& text) {
    return {iox::cxx::TruncateToCapacity, text.c_str(), text.size()};
}

iox::capro::ServiceDescription service(Role sender) {
    return {id_string("Causeway"), id_string(fmt::format("bench{}", ::getppid())),
            id_string(std::string(name(sender)))};
}

class IceoryxEndpoint final : public Endpoint {
public:
    IceoryxEndpoint(const Plan& plan, Role role)
        : plan_(plan),
          outgoing_(plan.size * plan.buffers),
          incoming_(plan.in_place ? 0 : plan.size * plan.buffers) {
        iox::popo::PublisherOptions sending;
        sending.historyCapacity = 0;
        sending.subscriberTooSlowPolicy = iox::popo::ConsumerTooSlowPolicy::WAIT_FOR_CONSUMER;
        iox::popo::SubscriberOptions receiving;
        receiving.historyRequest = 0;
        receiving.queueCapacity = std::min<std::uint64_t>(plan.outstanding, kQueueLimit);
        receiving.queueFullPolicy = iox::popo::QueueFullPolicy::BLOCK_PRODUCER;
        const Role peer = role == Role::initiator ? Role::responder : Role::initiator;
        publisher_.emplace(service(role), sending);
        subscriber_.emplace(service(peer), receiving);
    }

    // The runtime, a static object, takes its leave of RouDi when it is destroyed, at exit(). A
    // process of a measurement does not go through exit(), so nobody destroys it a second time.
    ~IceoryxEndpoint() override {
        waiting_.reset();
        subscriber_.reset();
        publisher_.reset();
        iox::runtime::PoshRuntime::getInstance().~PoshRuntime();
    }

    Result<void> open() {
        CW_TRY(spin_until([&] {
            return publisher_->hasSubscribers() &&
                   subscriber_->getSubscriptionState() == iox::SubscribeState::SUBSCRIBED;
        }));
        if (plan_.wait == Wait::block) {
            waiting_.emplace();
            if (waiting_->attachState(*subscriber_, iox::popo::SubscriberState::HAS_DATA)
                    .has_error())
                return fail(ErrorCode::system, "iceoryx: attachState failed");
        }
        return {};
    }

    std::span<std::byte> buffer(std::uint32_t slot) override {
        return std::span(outgoing_).subspan(slot * plan_.size, plan_.size);
    }
    Result<void> submit(std::uint32_t slot) override {
        CW_TRY_ASSIGN(void* const chunk, loan());
        if (!plan_.in_place)
            std::memcpy(chunk, buffer(slot).data(), plan_.size);
        else if (!holds_message(chunk))
            std::memcpy(chunk, outgoing_.data(), plan_.size);
        publisher_->publish(chunk);
        return {};
    }
    Result<void> complete() override { return {}; }

    Result<std::span<std::byte>> receive() override {
        CW_TRY_ASSIGN(const void* const chunk, take());
        if (plan_.in_place) {
            held_ = chunk;
            return std::span(static_cast<std::byte*>(const_cast<void*>(chunk)), plan_.size);
        }
        const std::span<std::byte> own =
            std::span(incoming_).subspan(next_ * plan_.size, plan_.size);
        next_ = next_ + 1 == plan_.buffers ? 0 : next_ + 1;
        std::memcpy(own.data(), chunk, plan_.size);
        subscriber_->release(chunk);
        return own;
    }
    Result<void> release() override {
        if (held_ != nullptr)
            subscriber_->release(std::exchange(held_, nullptr));
        return {};
    }

    // The chunks that will be loaned next get their message: iceoryx keeps free ones in a stack.
    Result<void> begin_round() override {
        if (!plan_.in_place)
            return {};
        const std::size_t ahead = std::min<std::size_t>(plan_.outstanding + 2, kLoansAtOnce);
        std::vector<void*> loans;
        for (std::size_t i = 0; i < ahead; ++i) {
            auto chunk = loan();
            if (!chunk.has_value())
                break;
            std::memcpy(*chunk, outgoing_.data(), plan_.size);
            loans.push_back(*chunk);
        }
        for (void* const chunk : loans)
            publisher_->release(chunk);
        return {};
    }
    std::string executor() const override { return "iceoryx"; }

private:
    // Its first and last bytes tell: other messages are other noise.
    [[nodiscard]] bool holds_message(const void* chunk) const {
        const auto* const there = static_cast<const std::byte*>(chunk);
        const std::size_t end = std::min<std::size_t>(plan_.size, sizeof(std::uint64_t));
        return std::memcmp(there, outgoing_.data(), end) == 0 &&
               std::memcmp(there + plan_.size - end, outgoing_.data() + plan_.size - end, end) == 0;
    }

    [[nodiscard]] Result<void*> loan() {
        auto chunk = publisher_->loan(static_cast<std::uint32_t>(plan_.size), kChunkAlignment);
        if (chunk.has_error())
            return fail(ErrorCode::no_memory,
                        fmt::format("iceoryx: RouDi has no chunk of {} bytes", plan_.size));
        return chunk.value();
    }
    [[nodiscard]] Result<const void*> take() {
        const void* chunk = nullptr;
        const auto try_once = [&] {
            auto taken = subscriber_->take();
            if (!taken.has_error())
                chunk = taken.value();
            return chunk != nullptr;
        };
        if (try_once())
            return chunk;
        if (!waiting_.has_value()) {
            CW_TRY(spin_until(try_once));
            return chunk;
        }
        while (!try_once()) {
            const auto patience = std::chrono::seconds(kPatience).count();
            if (waiting_->timedWait(iox::units::Duration::fromSeconds(patience)).empty())
                return fail(ErrorCode::timed_out, "iceoryx: nothing comes any more");
        }
        return chunk;
    }
    template<typename F>
    [[nodiscard]] static Result<void> spin_until(F&& ready) {
        std::uint64_t since = 0;
        for (unsigned tries = 1; !ready(); ++tries) {
            platform::cpu_relax();
            if (tries % kTriesPerLook != 0)
                continue;
            const std::uint64_t now = platform::monotonic_ns();
            since = since == 0 ? now : since;
            if (now - since >
                static_cast<std::uint64_t>(std::chrono::nanoseconds(kPatience).count()))
                return fail(ErrorCode::timed_out, "iceoryx: nothing comes any more");
        }
        return {};
    }

    const Plan& plan_;
    std::vector<std::byte> outgoing_;
    std::vector<std::byte> incoming_;
    std::optional<iox::popo::UntypedPublisher> publisher_;
    std::optional<iox::popo::UntypedSubscriber> subscriber_;
    std::optional<iox::popo::WaitSet<1>> waiting_;
    const void* held_ = nullptr;  // chunk that is out, in place
    std::uint32_t next_ = 0;
};

Result<std::unique_ptr<Endpoint>> make_endpoint(const Plan& plan, Role role, SideChannel&) {
    const std::string process = fmt::format("causeway-bench-{}", ::getpid());
    iox::runtime::PoshRuntime::initRuntime(
        {iox::cxx::TruncateToCapacity, process.c_str(), process.size()});
    auto endpoint = std::make_unique<IceoryxEndpoint>(plan, role);
    CW_TRY(endpoint->open());
    return endpoint;
}

}  // namespace
}  // namespace causeway::bench

int main(int argc, char** argv) {
    using namespace causeway::bench;
    using causeway::Result;
    using causeway::perf::Plan;
    const auto in_place = [](Plan& plan) -> Result<void> {
        plan.in_place = true;
        plan.buffers = 1;  // all messages hold the same
        return {};
    };
    return run_peer(
        argc, argv,
        {.name = "bench_peer_iceoryx",
         .what = "iceoryx between two processes; iox-roudi must run",
         .variants = {{"copy", "copied into and out of the chunks", make_endpoint},
                      {"in-place", "published and read where it lies", make_endpoint, in_place}}});
}
