// What a host of a disk waits for where another one has asked for much: a unit that the test steps
// itself, so that what it did before the answer can be counted.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "client/region.hpp"
#include "io/block/disk.hpp"
#include "io/block/unit/unit.hpp"
#include "platform/fd.hpp"
#include "support/live_adapter.hpp"

namespace causeway::test {
namespace {

namespace block = io::block;

constexpr std::uint64_t kBytes = 16 << 20;
constexpr std::uint32_t kPiece = 256 << 10;
constexpr std::uint32_t kDepth = 100;

// A partition with the disk open, and memory for what it reads.
struct DiskHost {
    std::shared_ptr<client::Partition> partition;
    std::unique_ptr<client::Region> memory;
    std::unique_ptr<block::Disk> disk;
};

// Executor direct: what is submitted has arrived.
class DiskShareTest : public testing::Test {
protected:
    DiskShareTest() {
        EXPECT_EQ(::ftruncate(image_file.get(), kBytes), 0);
        std::vector<std::byte> data(kBytes);
        for (std::size_t i = 0; i < data.size(); ++i)
            data[i] = byte_at(i);
        EXPECT_EQ(::pwrite(image_file.get(), data.data(), data.size(), 0),
                  static_cast<ssize_t>(kBytes));
        block::ImageTerms terms;
        terms.path = "/proc/self/fd/" + std::to_string(image_file.get());
        image = block::Image::open(terms).value();
        unit = block::BlockUnit::open(storage, {}, *image).value();
        for (DiskHost* host : {&many, &one})
            come(*host, host == &many ? "many" : "one");
    }
    ~DiskShareTest() override {
        for (DiskHost* host : {&many, &one}) {
            host->disk.reset();
            host->memory.reset();
            host->partition->close();
        }
        unit.reset();
        storage->close();
    }

    [[nodiscard]] static std::byte byte_at(std::uint64_t at) {
        return static_cast<std::byte>(at * 7 + at / 4096);
    }
    void come(DiskHost& host, const std::string& name) {
        host.partition = client::Partition::attach(adapter.socket(), name, {}).value();
        constexpr std::uint32_t kAccess =
            CW_ACCESS_REMOTE_READ | CW_ACCESS_REMOTE_WRITE | CW_ACCESS_EXPORTABLE;
        host.memory = std::make_unique<client::Region>(
            client::Region::allocate(host.partition, kBytes, {.access = kAccess}).value());
        block::DiskTerms terms;
        terms.access = CW_DISK_READ;
        terms.depth = kDepth;
        terms.executor = abi::Executor::direct;
        std::atomic<bool> open{false};
        std::thread opener([&] {
            host.disk =
                block::Disk::open(host.partition, "storage/disk0", terms, 20'000'000'000).value();
            open = true;
        });
        while (!open)
            (void)unit->step();
        opener.join();
    }
    // To where it lies in the image, in the host's memory.
    static void ask(DiskHost& host, std::uint64_t offset, std::uint32_t length) {
        cw_disk_request request{};
        request.operation = CW_DISK_OP_READ;
        request.offset = offset;
        request.length = length;
        request.data = host.memory->data() + offset;
        request.handle = host.memory->handle();
        host.disk->submit(request).value();
    }
    // Steps the unit until so many answers are there.
    void await(DiskHost& host, int count) {
        cw_disk_result result{};
        for (int taken = 0; taken < count;) {
            (void)unit->step();
            const int got = host.disk->poll(&result, 1, 0).value();
            taken += got;
            EXPECT_EQ(got == 0 ? 0 : result.error, 0);
        }
    }
    [[nodiscard]] block::BlockUnit::Counters counters(const std::string& name) const {
        for (const auto& host : unit->figures()) {
            if (host.partition == name)
                return host.counters;
        }
        return {};
    }
    // Both have had turns, so that the unit knows of both.
    void take_turns() {
        for (int i = 0; i < 3; ++i) {
            ask(many, 0, 4096);
            await(many, 1);
            ask(one, 0, 4096);
            await(one, 1);
        }
        ASSERT_TRUE(unit->shared());
    }
    static void expect_data(const DiskHost& host, std::uint64_t length) {
        for (std::uint64_t i = 0; i < length; ++i)
            ASSERT_EQ(host.memory->data()[i], byte_at(i)) << i;
    }

    LiveAdapter adapter{LiveAdapter::Kind::forked};
    platform::UniqueFd image_file{::memfd_create("disk", MFD_CLOEXEC)};
    std::shared_ptr<client::Partition> storage =
        client::Partition::attach(adapter.socket(), "storage", {}).value();
    std::unique_ptr<block::Image> image;
    std::unique_ptr<block::BlockUnit> unit;
    DiskHost many;
    DiskHost one;
};

TEST_F(DiskShareTest, AnotherHostsLongRequestsAreServedInParts) {
    take_turns();
    const auto before = counters("many");
    for (std::uint32_t i = 0; i < 24; ++i)
        ask(many, std::uint64_t{i} * kPiece, kPiece);
    ask(one, 4096, 4096);
    await(one, 1);
    EXPECT_EQ(counters("many").reads, before.reads);  // none of them is whole
    await(many, 24);
    EXPECT_EQ(counters("many").read_bytes, before.read_bytes + 24 * kPiece);
    expect_data(many, 24 * kPiece);
    expect_data(one, 8192);
}

TEST_F(DiskShareTest, AnotherHostsManyRequestsAreNotDoneFirst) {
    take_turns();
    const auto before = counters("many");
    for (std::uint32_t i = 0; i < kDepth; ++i)
        ask(many, std::uint64_t{i} * 4096, 4096);
    ask(one, 4096, 4096);
    await(one, 1);
    EXPECT_LE(counters("many").reads - before.reads, 3u);
    await(many, kDepth);
    expect_data(many, std::uint64_t{kDepth} * 4096);
}

// Where nobody else asks for anything a request is done in one go.
TEST_F(DiskShareTest, WhoIsAloneIsNotServedInParts) {
    ask(many, 0, kPiece);
    (void)unit->step();
    EXPECT_EQ(counters("many").reads, 1u);
    await(many, 1);
    expect_data(many, kPiece);
}

}  // namespace
}  // namespace causeway::test
