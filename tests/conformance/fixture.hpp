// What every conformance test stands on: a live adapter, two partitions, and queue pairs between
// them. The suite runs once for each executor that this build has; what it says of one holds of
// all.
//
// Threading: one thread, unless a test starts its own.
#pragma once

#include <gtest/gtest.h>

#include <causeway/causeway.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/live_adapter.hpp"

namespace causeway::test {

inline constexpr std::chrono::seconds kWatchdog{20};

// One partition with memory and a completion queue.
struct Party {
    Partition partition;
    CompletionQueue queue;
    Region memory;

    static constexpr std::size_t kMemory = 8 << 20;

    Party(const std::string& name, const std::string& socket, Access access)
        : partition(Partition::attach(name, {.socket = socket}).value()),
          queue(partition.create_completion_queue(512).value()),
          memory(partition.allocate(kMemory, access | Access::exportable).value()) {}

    // The next completion; a test that gets none fails by the exception.
    [[nodiscard]] Completion next() {
        const auto end = std::chrono::steady_clock::now() + kWatchdog;
        while (kept_.empty() && std::chrono::steady_clock::now() < end) {
            keep(queue.wait(partner == nullptr ? kWatchdog : std::chrono::milliseconds(1)));
            if (partner != nullptr)
                partner->keep(partner->queue.poll());
        }
        if (kept_.empty())
            throw std::runtime_error("no completion within the watchdog's time");
        const Completion first = kept_.front();
        kept_.erase(kept_.begin());
        return first;
    }
    [[nodiscard]] std::optional<Completion> try_next() {
        if (kept_.empty())
            keep(queue.poll());
        if (kept_.empty())
            return std::nullopt;
        return next();
    }
    [[nodiscard]] Status status_of(std::uint64_t id) {
        const Completion c = next();
        EXPECT_EQ(c.id(), id);
        return c.status();
    }
    // No completion stands there, nor comes while others have had the time to be served.
    [[nodiscard]] bool quiet() { return kept_.empty() && queue.poll().empty(); }

    void fill(std::size_t offset, std::size_t length, std::uint32_t seed) const {
        for (std::size_t i = 0; i < length; ++i)
            memory.data()[offset + i] = pattern(seed, i);
    }
    [[nodiscard]] bool holds(std::size_t offset, std::size_t length, std::uint32_t seed) const {
        for (std::size_t i = 0; i < length; ++i) {
            if (memory.data()[offset + i] != pattern(seed, i))
                return false;
        }
        return true;
    }
    // Executor direct: a sender that had to wait goes on when its own partition polls. Where one
    // thread plays both parties, whoever waits for a completion polls for the other as well.
    Party* partner = nullptr;

    [[nodiscard]] static std::byte pattern(std::uint32_t seed, std::size_t i) {
        return static_cast<std::byte>((i * 2654435761U + seed) >> 7);
    }

private:
    void keep(const CompletionBatch& batch) {
        kept_.insert(kept_.end(), batch.begin(), batch.end());
    }

    std::vector<Completion> kept_;
};

struct Pair {
    QueuePair a;
    QueuePair b;
};

inline constexpr Access kAllAccess = Access::remote_write | Access::remote_read | Access::append;

class Conformance : public testing::TestWithParam<const char*> {
protected:
    // Connects two queue pairs without a second thread: begin, accept, wait.
    [[nodiscard]] Pair connect(Party& from, Party& to, Patience patience = Patience::block(),
                               std::uint32_t entries = 64) {
        const std::string service = "service" + std::to_string(++services_);
        Listener listener = to.partition.listen(service).value();
        const auto create = [&](Party& party) {
            QueuePairOptions options{.completions = party.queue};
            options.send_entries = entries;
            options.receive_entries = entries;
            options.patience = patience;
            options.executor = GetParam();
            return party.partition.create_queue_pair(options).value();
        };
        Pair pair{create(from), create(to)};
        const std::string target = std::string(to.partition.name()) + "/" + service;
        const auto begun = pair.a.connect(target, std::chrono::seconds(0));
        EXPECT_TRUE(begun || begun.error().code == ErrorCode::timed_out) << begun.error().text;
        listener.accept(pair.b, kWatchdog).value();
        while (pair.a.state() == QueuePair::State::connecting) {}
        EXPECT_EQ(pair.a.state(), QueuePair::State::connected);
        EXPECT_EQ(pair.a.executor(), GetParam());
        return pair;
    }
    [[nodiscard]] Pair connect() { return connect(a, b); }

    void SetUp() override {
        if (direct()) {
            a.partner = &b;
            b.partner = &a;
        }
    }
    [[nodiscard]] static bool direct() { return GetParam() == std::string_view("direct"); }

    // Where each party has a thread of its own, nobody polls for the other.
    void apart() { a.partner = b.partner = nullptr; }
    // A log to append to: of records where direct peers write it, of bare bytes otherwise.
    [[nodiscard]] Region log_of(Party& owner, std::size_t size) {
        const Access access = direct() ? Access::append | Access::exportable : Access::append;
        return owner.partition.allocate(size, access).value();
    }

    LiveAdapter adapter{LiveAdapter::Kind::forked};
    Party a{"a", adapter.socket(), kAllAccess};
    Party b{"b", adapter.socket(), kAllAccess};

private:
    int services_ = 0;
};

[[nodiscard]] inline std::string executor_name(const testing::TestParamInfo<const char*>& info) {
    return info.param;
}

}  // namespace causeway::test

// The executors that this build has.
#define CW_FOR_EVERY_EXECUTOR(suite) \
    INSTANTIATE_TEST_SUITE_P(Executors, suite, testing::Values("adapter", "direct"), executor_name)
