// Disks of a block unit through the public API: what is written is read, by whatever buffer and in
// whatever size; who may write; what is refused; and units that go and come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <causeway/block.hpp>
#include <chrono>
#include <map>
#include <random>

#include "support/command.hpp"
#include "support/live_adapter.hpp"
#include "support/served_disk.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using causeway::block::Disk;
using causeway::block::Flags;
using causeway::block::Outcome;
using testing::HasSubstr;

using DiskAccess = causeway::block::Access;
using DiskOptions = causeway::block::Options;

constexpr std::uint64_t kBytes = 16 << 20;
constexpr Access kBuffer = Access::remote_read | Access::remote_write | Access::exportable;

class DiskTest : public testing::TestWithParam<const char*> {
protected:
    DiskTest() { served.start(); }
    ~DiskTest() override { served.stop(); }

    [[nodiscard]] DiskOptions options(DiskAccess access = DiskAccess::most) const {
        DiskOptions made;
        made.access = access;
        made.timeout = 20s;
        made.executor = GetParam();
        return made;
    }
    [[nodiscard]] Disk open(DiskAccess access = DiskAccess::most) {
        return Disk::open(host, ServedDisk::kTarget, options(access)).value();
    }
    [[nodiscard]] static std::vector<std::byte> pattern(std::size_t length, unsigned seed) {
        std::mt19937 random(seed);
        std::vector<std::byte> bytes(length);
        std::generate(bytes.begin(), bytes.end(), [&] { return std::byte(random()); });
        return bytes;
    }

    LiveAdapter adapter{LiveAdapter::Kind::forked};
    ServedDisk served{adapter.socket(), kBytes};
    Partition host = Partition::attach("host", {.socket = adapter.socket()}).value();
};
INSTANTIATE_TEST_SUITE_P(Executors, DiskTest, testing::Values("adapter", "direct"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(DiskTest, SaysWhatItIs) {
    const Disk disk = open();
    const cw_disk_info info = disk.info();
    EXPECT_EQ(info.bytes, kBytes);
    EXPECT_EQ(info.block, 1u);
    EXPECT_EQ(info.read_only, 0u);
    EXPECT_EQ(info.in_place, std::string(GetParam()) == "direct" ? 1u : 0u);
    EXPECT_EQ(info.connections, 1u);
    EXPECT_EQ(disk.trouble(), "");
}

TEST_P(DiskTest, ReadsWhatWasWrittenInEverySize) {
    Disk disk = open();
    unsigned seed = 0;
    for (const std::size_t length : {1ul, 511ul, 4096ul, 4097ul, 262'144ul, 262'145ul, 1ul << 20,
                                     (1ul << 20) + 17, 5'000'000ul, std::size_t{kBytes}}) {
        const auto bytes = pattern(length, ++seed);
        const std::uint64_t offset = (kBytes - length) / 2;
        ASSERT_EQ(disk.write(offset, bytes).value(), 0) << length;
        std::vector<std::byte> back(length);
        ASSERT_EQ(disk.read(offset, back).value(), 0) << length;
        ASSERT_TRUE(back == bytes) << length;
    }
}

// Many at once, of registered and other memory, against a copy of the disk.
TEST_P(DiskTest, ManyAtOnceAgainstACopy) {
    Disk disk = open();
    constexpr std::size_t kSlot = 300'000;
    constexpr std::size_t kSlots = 24;
    Region memory = host.allocate(kSlot * kSlots, kBuffer).value();
    std::vector<std::byte> plain(kSlot * kSlots);
    std::vector<std::byte> copy(kBytes);
    std::mt19937 random(11);
    struct Pending {
        std::uint64_t offset;
        std::size_t length;
        bool reads;
        std::byte* at;
    };
    std::map<std::uint64_t, Pending> pending;
    const auto finish = [&](const Outcome& outcome) {
        ASSERT_EQ(outcome.error, 0);
        const Pending& p = pending.at(outcome.user);
        if (p.reads) {
            ASSERT_TRUE(std::equal(p.at, p.at + p.length, copy.data() + p.offset));
        }
        pending.erase(outcome.user);
    };
    for (int i = 0; i < 3000; ++i) {
        std::uint64_t slot = random() % kSlots;
        const std::size_t length = random() % 3 == 0 ? 1 + random() % kSlot : 1 + random() % 5000;
        const std::uint64_t offset = random() % (kBytes - length);
        // What overlaps waits: among those at once there is no order.
        const auto overlaps = [&](const auto& each) {
            const Pending& p = each.second;
            return offset < p.offset + p.length && p.offset < offset + length;
        };
        while (pending.contains(slot) || std::any_of(pending.begin(), pending.end(), overlaps)) {
            for (const Outcome& outcome : disk.poll(20s).value())
                finish(outcome);
        }
        const bool registered = random() % 2 == 0;
        const bool reads = random() % 2 == 0;
        std::byte* const at =
            (registered ? static_cast<std::byte*>(memory.data()) : plain.data()) + slot * kSlot;
        if (!reads) {
            std::generate(at, at + length, [&] { return std::byte(random()); });
            std::copy(at, at + length, copy.data() + offset);
        }
        cw_disk_request request{};
        request.operation = reads ? CW_DISK_OP_READ : CW_DISK_OP_WRITE;
        request.offset = offset;
        request.length = length;
        request.data = at;
        request.handle = registered ? memory.slice(0, 1).handle : 0;
        request.user = slot;
        disk.submit(request).value();
        pending.emplace(slot, Pending{offset, length, reads, at});
    }
    while (!pending.empty()) {
        for (const Outcome& outcome : disk.poll(20s).value())
            finish(outcome);
    }
    std::vector<std::byte> back(kBytes);
    ASSERT_EQ(disk.read(0, back).value(), 0);
    EXPECT_TRUE(back == copy);
    EXPECT_EQ(disk.poll(0s).error().code, ErrorCode::wrong_state);
}

TEST_P(DiskTest, ZeroesDiscardsFlushesAndTellsExtents) {
    Disk disk = open();
    const auto bytes = pattern(1 << 20, 3);
    ASSERT_EQ(disk.write(0, bytes, Flags::fua).value(), 0);
    ASSERT_EQ(disk.flush().value(), 0);
    ASSERT_EQ(disk.zero(4096, 8192).value(), 0);
    ASSERT_EQ(disk.zero(100'000, 12'345, Flags::allocate | Flags::fua).value(), 0);
    ASSERT_EQ(disk.discard(512 << 10, 64 << 10, Flags::fua).value(), 0);
    std::vector<std::byte> back(1 << 20);
    ASSERT_EQ(disk.read(0, back).value(), 0);
    for (std::size_t i = 0; i < back.size(); ++i) {
        const bool zeroed = (i >= 4096 && i < 12'288) || (i >= 100'000 && i < 112'345) ||
                            (i >= 512 << 10 && i < 576 << 10);
        ASSERT_EQ(back[i], zeroed ? std::byte{0} : bytes[i]) << i;
    }
    const auto extents = disk.extents(0, kBytes).value();
    std::uint64_t total = 0;
    for (const cw_disk_extent& extent : extents) {
        if (extent.flags == 0) {
            EXPECT_LT(total, 1u << 20);
        }
        total += extent.length;
    }
    EXPECT_EQ(total, kBytes);
    EXPECT_NE(extents.back().flags & CW_DISK_ZEROS, 0u);
    EXPECT_EQ(disk.extents(0, kBytes, Flags::one_extent).value().size(), 1u);
}

TEST_P(DiskTest, RefusesWhatDoesNotFit) {
    Disk disk = open();
    std::vector<std::byte> buffer(4096);
    const auto refused = [&](const Result<int>& result, const std::string& text) {
        ASSERT_FALSE(result.has_value());
        EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
        EXPECT_THAT(result.error().text, HasSubstr(text));
    };
    refused(disk.read(kBytes, buffer), "outside the disk");
    refused(disk.read(kBytes - 4095, buffer), "outside the disk");
    refused(disk.read(UINT64_MAX, buffer), "outside the disk");
    refused(disk.read(0, {}), "takes one at least");
    refused(disk.zero(0, kBytes + 1), "outside the disk");
    Region shut = host.allocate(4096, Access::local).value();
    auto result = disk.submit_read(0, shut.slice(0, 4096), 1);
    ASSERT_FALSE(result.has_value());
    EXPECT_THAT(result.error().text, HasSubstr("remote_write"));
    Region open_memory = host.allocate(4096, kBuffer).value();
    cw_slice beyond = open_memory.slice(0, 4096);
    beyond.address = static_cast<std::byte*>(beyond.address) + 1;
    EXPECT_FALSE(disk.submit_read(0, beyond, 1).has_value());
    cw_disk_request strange{};
    strange.operation = 77;
    EXPECT_EQ(disk.submit(strange).error().code, ErrorCode::invalid_argument);
    // It is as good as before.
    EXPECT_EQ(disk.read(0, buffer).value(), 0);
}

TEST_P(DiskTest, TakesNoMoreThanItsDepthAtOnce) {
    DiskOptions with = options();
    with.depth = 4;
    Disk disk = Disk::open(host, ServedDisk::kTarget, with).value();
    for (std::uint64_t i = 0; i < 4; ++i)
        disk.submit_flush(i).value();
    EXPECT_EQ(disk.submit_flush(4).error().code, ErrorCode::again);
    std::size_t ended = 0;
    while (ended < 4)
        ended += disk.poll(20s).value().size();
    disk.submit_flush(4).value();
    EXPECT_EQ(disk.flush().value(), 0);  // keeps the other one's result
    const auto rest = disk.poll(20s).value();
    ASSERT_EQ(rest.size(), 1u);
    EXPECT_EQ(rest.front().user, 4u);
}

TEST_P(DiskTest, ItsDescriptorIsReadableWhenThereIsAResult) {
    Disk disk = open();
    pollfd file{disk.fd().value(), POLLIN, 0};
    Region memory = host.allocate(1 << 20, kBuffer).value();
    for (std::uint64_t i = 0; i < 50; ++i) {
        disk.submit_read(0, memory.slice(0, 1 << 20), i).value();
        std::vector<Outcome> outcomes;
        while ((outcomes = disk.poll(0s).value()).empty())
            ASSERT_EQ(::poll(&file, 1, 20'000), 1) << i;
        ASSERT_EQ(outcomes.front().user, i);
    }
}

TEST_P(DiskTest, OnePartitionWritesAndAnyRead) {
    Partition other = Partition::attach("other", {.socket = adapter.socket()}).value();
    std::vector<std::byte> buffer(4096, std::byte{1});
    {
        Disk mine = open(DiskAccess::write);
        Disk again = open(DiskAccess::write);  // of the same partition
        const auto refused = Disk::open(other, ServedDisk::kTarget, options(DiskAccess::write));
        ASSERT_FALSE(refused.has_value());
        EXPECT_EQ(refused.error().code, ErrorCode::limit_reached);
        EXPECT_THAT(refused.error().text, HasSubstr("written to by partition host"));
        const auto shares = Disk::open(other, ServedDisk::kTarget, options(DiskAccess::shared));
        ASSERT_FALSE(shares.has_value());
        EXPECT_EQ(shares.error().code, ErrorCode::denied);
        Disk reader = Disk::open(other, ServedDisk::kTarget, options()).value();
        EXPECT_EQ(reader.info().read_only, 1u);
        EXPECT_EQ(mine.write(0, buffer).value(), 0);
        std::vector<std::byte> back(4096);
        EXPECT_EQ(reader.read(0, back).value(), 0);
        EXPECT_TRUE(back == buffer);
        EXPECT_EQ(reader.write(0, buffer).value(), EPERM);
        EXPECT_EQ(reader.zero(0, 4096).value(), EPERM);
    }
    // Whoever has gone does not write any more; the unit hears of it a moment later.
    EXPECT_TRUE(eventually([&] {
        return Disk::open(other, ServedDisk::kTarget, options(DiskAccess::write)).has_value();
    }));
}

TEST_P(DiskTest, SeveralWriteWhereTheUnitSharesIt) {
    served.stop();
    served.start([](block::ImageTerms&, block::UnitTerms& unit) {
        unit.others.grant = block::Grant::shared;
        unit.hosts["reader"].grant = block::Grant::read;
        unit.hosts["nobody"].grant = block::Grant::none;
    });
    const auto partition = [&](const char* name) {
        return Partition::attach(name, {.socket = adapter.socket()}).value();
    };
    Partition other = partition("other");
    Partition reader = partition("reader");
    Partition nobody = partition("nobody");
    const auto code = [&](Partition& of, DiskAccess access) {
        const auto disk = Disk::open(of, ServedDisk::kTarget, options(access));
        return disk.has_value() ? ErrorCode::none : disk.error().code;
    };
    Disk a = open(DiskAccess::shared);
    Disk b = Disk::open(other, ServedDisk::kTarget, options(DiskAccess::shared)).value();
    EXPECT_EQ(a.write(0, pattern(4096, 1)).value(), 0);
    EXPECT_EQ(b.write(4096, pattern(4096, 2)).value(), 0);
    EXPECT_EQ(code(other, DiskAccess::write),
              ErrorCode::limit_reached);  // a shares, this would not
    EXPECT_EQ(code(reader, DiskAccess::shared), ErrorCode::denied);
    EXPECT_EQ(code(reader, DiskAccess::read), ErrorCode::none);
    EXPECT_EQ(code(nobody, DiskAccess::read), ErrorCode::denied);
}

TEST_P(DiskTest, NobodyWritesToAnImageThatIsReadOnly) {
    served.stop();
    served.start(
        [](block::ImageTerms& image, block::UnitTerms&) { image.writing = block::Writing::never; });
    Disk disk = open();
    EXPECT_EQ(disk.info().read_only, 1u);
    std::vector<std::byte> buffer(4096);
    EXPECT_EQ(disk.write(0, buffer).value(), EPERM);
    EXPECT_EQ(disk.read(0, buffer).value(), 0);
    const auto refused = Disk::open(host, ServedDisk::kTarget, options(DiskAccess::write));
    ASSERT_FALSE(refused.has_value());
    EXPECT_THAT(refused.error().text, HasSubstr("read only"));
}

TEST_P(DiskTest, OpensOnlyWhatIsThere) {
    const auto missing = Disk::open(host, "storage/disk7", options(), 1s);
    ASSERT_FALSE(missing.has_value());
    EXPECT_EQ(missing.error().code, ErrorCode::not_found);
    EXPECT_EQ(Disk::open(host, "nonsense", options(), 1s).error().code,
              ErrorCode::invalid_argument);
}

TEST_P(DiskTest, GoesPastThePageCache) {
    served.stop();
    try {
        served.start(
            [](block::ImageTerms& image, block::UnitTerms&) { image.cache = block::Cache::none; });
    } catch (const BadResult& error) {
        GTEST_SKIP() << error.what();
    }
    Disk disk = open();
    const std::uint32_t unit = disk.info().block;
    EXPECT_GE(unit, 512u);
    const auto bytes = pattern(std::size_t{unit} * 300, 5);
    ASSERT_EQ(disk.write(unit, bytes).value(), 0);
    std::vector<std::byte> back(bytes.size());
    ASSERT_EQ(disk.read(unit, back).value(), 0);
    EXPECT_TRUE(back == bytes);
    // Registered memory that is not aligned as the device wants it.
    Region memory = host.allocate(1 << 20, kBuffer).value();
    disk.submit_read(unit, memory.slice(64, unit * 4), 1).value();
    ASSERT_EQ(disk.poll(20s).value().at(0).error, 0);
    EXPECT_EQ(std::memcmp(static_cast<std::byte*>(memory.data()) + 64, bytes.data(), unit * 4), 0);
    EXPECT_EQ(disk.read(1, back).error().code, ErrorCode::invalid_argument);
    // Longer than the unit's own memory for that: in other pieces.
    Region wide = host.allocate(5 << 20, kBuffer).value();
    disk.submit_write(0, wide.slice(64, 4 << 20), 2).value();
    ASSERT_EQ(disk.poll(20s).value().at(0).error, 0);
    EXPECT_EQ(disk.read(unit, back).value(), 0);
    EXPECT_TRUE(back == std::vector<std::byte>(back.size()));
}

TEST_P(DiskTest, ThreadsDoWithoutIoUring) {
    served.stop();
    served.start(
        [](block::ImageTerms&, block::UnitTerms& unit) { unit.engine = block::Engine::threads; });
    Disk disk = open();
    const auto bytes = pattern(3 << 20, 6);
    ASSERT_EQ(disk.write(1234, bytes, Flags::fua).value(), 0);
    std::vector<std::byte> back(bytes.size());
    ASSERT_EQ(disk.read(1234, back).value(), 0);
    EXPECT_TRUE(back == bytes);
}

TEST_P(DiskTest, ATruncatedImageIsAnErrorAndStaysOne) {
    Disk disk = open();
    ASSERT_EQ(disk.write(0, pattern(kBytes, 7)).value(), 0);
    ASSERT_EQ(::truncate(served.path().c_str(), kBytes / 2), 0);
    std::vector<std::byte> buffer(4096);
    EXPECT_EQ(disk.read(0, buffer).value(), 0);  // nobody has noticed
    EXPECT_EQ(disk.read(kBytes - 4096, buffer).value(), EIO);
    ASSERT_EQ(::truncate(served.path().c_str(), kBytes), 0);
    EXPECT_EQ(disk.read(0, buffer).value(), EIO);  // zeros would be taken for data
    EXPECT_EQ(disk.write(0, buffer).value(), EIO);
}

// What was outstanding when the unit went is asked for again when there is one.
TEST_P(DiskTest, AUnitThatComesBackIsGoneOnWith) {
    Disk disk = open();
    constexpr std::uint32_t kSize = 64 << 10;
    constexpr std::uint32_t kCount = kBytes / kSize;
    Region memory = host.allocate(kBytes, kBuffer).value();
    auto* const bytes = static_cast<std::byte*>(memory.data());
    const auto contents = pattern(kBytes, 8);
    std::copy(contents.begin(), contents.end(), bytes);
    std::size_t ended = 0;
    const auto take = [&](std::chrono::nanoseconds wait) {
        for (const Outcome& outcome : disk.poll(wait).value()) {
            ASSERT_EQ(outcome.error, 0);
            ++ended;
        }
    };
    for (int round = 0; round < 4; ++round) {
        ended = 0;
        bool away = false;
        for (std::uint32_t i = 0; i < kCount; ++i) {
            const auto submitted = [&] {
                return disk
                    .submit_write(std::uint64_t{i} * kSize, memory.slice(i * kSize, kSize), i)
                    .has_value();
            };
            while (!submitted()) {
                if (std::exchange(away, false))
                    served.start();
                take(20s);
            }
            if (i == kCount / 2) {
                served.stop();
                away = true;
            }
        }
        if (away)
            served.start();
        while (ended < kCount)
            take(20s);
        std::vector<std::byte> back(kBytes);
        ASSERT_EQ(disk.read(0, back).value(), 0);
        ASSERT_TRUE(back == contents);
        ASSERT_EQ(disk.zero(0, kBytes).value(), 0);
    }
    EXPECT_GE(disk.info().connections, 5u);
}

TEST_P(DiskTest, WaitsNoLongerThanItWasToldTo) {
    DiskOptions with = options();
    with.timeout = 200ms;
    Disk disk = Disk::open(host, ServedDisk::kTarget, with).value();
    std::vector<std::byte> buffer(4096);
    served.stop();
    EXPECT_EQ(disk.read(0, buffer).value(), ETIMEDOUT);
    EXPECT_NE(disk.trouble(), "");
    disk.submit_flush(5).value();
    pollfd file{disk.fd().value(), POLLIN, 0};
    std::vector<Outcome> outcomes;
    while ((outcomes = disk.poll(0s).value()).empty())
        ASSERT_EQ(::poll(&file, 1, 20'000), 1);
    EXPECT_EQ(outcomes.front().error, ETIMEDOUT);
    served.start();
    EXPECT_TRUE(eventually([&] { return disk.read(0, buffer).value() == 0; }));
}

TEST_P(DiskTest, EndsWithTheAdapter) {
    Partition brief =
        Partition::attach("brief", {.socket = adapter.socket(), .adapter_patience = 0s}).value();
    Disk disk = Disk::open(brief, ServedDisk::kTarget, options()).value();
    std::vector<std::byte> buffer(4096);
    ASSERT_EQ(disk.read(0, buffer).value(), 0);
    served.stop();
    adapter.kill();
    const auto result = disk.read(0, buffer);
    if (result.has_value()) {
        EXPECT_EQ(*result, ESHUTDOWN);
    } else {
        EXPECT_EQ(result.error().code, ErrorCode::adapter_gone);
    }
    EXPECT_EQ(disk.read(0, buffer).error().code, ErrorCode::adapter_gone);
}

}  // namespace
}  // namespace causeway::test
