// The unit of a disk is killed under traffic and started anew, again and again, and so is the
// adapter: what was written is there, nothing is answered twice, nothing hangs.
#include <gtest/gtest.h>

#include <causeway/block.hpp>
#include <chrono>
#include <map>
#include <random>
#include <thread>

#include "adapter/server.hpp"
#include "support/command.hpp"
#include "support/live_adapter.hpp"
#include "support/mortal.hpp"
#include "support/served_disk.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using causeway::block::Disk;
using causeway::block::Outcome;

constexpr std::uint64_t kBytes = 8 << 20;
constexpr std::uint32_t kLargest = 96 << 10;
constexpr std::uint32_t kSlots = 24;

// A unit in a process of its own: waits until its name and the image's lock are free, then serves.
void live_as_unit(const std::string& socket, const std::string& path) {
    const auto image = block::Image::open({.path = path, .lock_wait_ns = 30'000'000'000}).value();
    for (;;) {
        auto partition = client::Partition::attach(socket, "storage", 60'000'000'000);
        if (partition.has_value()) {
            auto unit = block::BlockUnit::open(*partition, {}, *image).value();
            const std::atomic<bool> never{false};
            serve_disk(*unit, never);
            unit.reset();
            (*partition)->close();
        }
        std::this_thread::sleep_for(5ms);
    }
}

class DiskCrash : public testing::TestWithParam<const char*> {
protected:
    DiskCrash() {
        start_unit();
        causeway::block::Options options;
        options.executor = GetParam();
        options.timeout = 60s;
        EXPECT_TRUE(eventually([&] {
            auto opened = Disk::open(host_, ServedDisk::kTarget, options, 20s);
            if (opened.has_value())
                disk_ = std::move(*opened);
            return opened.has_value();
        }));
        memory_ = host_
                      .allocate(std::size_t{kSlots} * kLargest,
                                Access::remote_read | Access::remote_write | Access::exportable)
                      .value();
    }
    void start_unit() {
        unit_ = std::make_unique<Mortal>([&] { live_as_unit(adapter_.socket(), image_.path()); });
    }
    void kill_unit() {
        ASSERT_TRUE(unit_->kill());
        start_unit();
    }
    // Random reads and writes, each compared with what was written, until the moment.
    void work_until(std::chrono::steady_clock::time_point end) {
        while (std::chrono::steady_clock::now() < end) {
            for (std::uint32_t i = 0; i < kSlots && pending_.size() < kSlots / 2; ++i)
                begin();
            take();
        }
    }
    // One more request, if one comes to mind that none of those under way overlaps.
    void begin() {
        const std::uint64_t slot = random_() % kSlots;
        const auto length = static_cast<std::uint32_t>(1 + random_() % kLargest);
        const std::uint64_t offset = random_() % (kBytes - length);
        const auto overlaps = [&](const auto& each) {
            return offset < each.second.offset + each.second.length &&
                   each.second.offset < offset + length;
        };
        if (pending_.contains(slot) || std::any_of(pending_.begin(), pending_.end(), overlaps))
            return;
        const bool reads = random_() % 2 == 0;
        const Slice slice = memory_.slice(slot * kLargest, length);
        auto* const at = static_cast<std::byte*>(slice.address);
        if (!reads) {
            std::generate(at, at + length, [&] { return std::byte(random_()); });
            std::copy(at, at + length, copy_.data() + offset);
        }
        const auto done = reads ? disk_.submit_read(offset, slice, slot)
                                : disk_.submit_write(offset, slice, slot);
        ASSERT_TRUE(done.has_value()) << done.error().text;
        pending_.emplace(slot, Pending{offset, length, reads});
    }
    void take() {
        if (pending_.empty())
            return;
        for (const Outcome& outcome : disk_.poll(60s).value()) {
            ASSERT_EQ(outcome.error, 0);
            const auto found = pending_.find(outcome.user);
            ASSERT_NE(found, pending_.end()) << "answered twice";
            const Pending& p = found->second;
            if (p.reads) {
                const auto* const at =
                    static_cast<const std::byte*>(memory_.data()) + outcome.user * kLargest;
                ASSERT_TRUE(std::equal(at, at + p.length, copy_.data() + p.offset));
            }
            pending_.erase(found);
            ++ended_;
        }
    }
    void expect_all_there() {
        while (!pending_.empty() && !HasFailure())
            take();
        std::vector<std::byte> back(kBytes);
        ASSERT_EQ(disk_.read(0, back).value(), 0);
        EXPECT_TRUE(back == copy_);
        EXPECT_GT(ended_, 0u);
    }

    struct Pending {
        std::uint64_t offset;
        std::uint32_t length;
        bool reads;
    };
    LiveAdapter adapter_{LiveAdapter::Kind::forked, {}, 1, [](adapter::ServerOptions& options) {
                             options.fabric.resume_patience_ns = 60'000'000'000;
                         }};
    ImageFile image_{kBytes};
    std::unique_ptr<Mortal> unit_;
    Partition host_ = Partition::attach("host", {adapter_.socket(), 60s}).value();
    Disk disk_;
    Region memory_;
    std::vector<std::byte> copy_ = std::vector<std::byte>(kBytes);
    std::map<std::uint64_t, Pending> pending_;
    std::mt19937 random_{17};
    std::uint64_t ended_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Executors, DiskCrash, testing::Values("adapter", "direct"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(DiskCrash, TheUnitIsKilled) {
    for (int death = 0; death < 25 && !HasFailure(); ++death) {
        work_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(random_() % 60));
        kill_unit();
    }
    work_until(std::chrono::steady_clock::now() + 200ms);
    expect_all_there();
    EXPECT_GT(disk_.info().connections, 5u);
}

TEST_P(DiskCrash, TheAdapterIsKilled) {
    for (int death = 0; death < 5 && !HasFailure(); ++death) {
        work_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(random_() % 100));
        adapter_.kill();
        for (int i = 0; i < 10; ++i)
            begin();
        adapter_.start_again();
    }
    work_until(std::chrono::steady_clock::now() + 200ms);
    expect_all_there();
    EXPECT_EQ(disk_.info().connections, 1u);  // they go on, nothing was asked for again
}

TEST_P(DiskCrash, BothAreKilled) {
    for (int death = 0; death < 5 && !HasFailure(); ++death) {
        work_until(std::chrono::steady_clock::now() + std::chrono::milliseconds(random_() % 100));
        adapter_.kill();
        kill_unit();
        adapter_.start_again();
    }
    work_until(std::chrono::steady_clock::now() + 200ms);
    expect_all_there();
}

}  // namespace
}  // namespace causeway::test
