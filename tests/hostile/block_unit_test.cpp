// A host that asks a block unit for what no host module asks for: ranges, lengths, flags and memory
// that are not its own or not there, more than it may, before it has opened the disk. Another one
// goes on, and nothing of the image changes that was not asked for by right. Then the other way
// round: a unit that says what no unit says to a host module.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>

#include "client/region.hpp"
#include "io/block/disk.hpp"
#include "support/io_ends.hpp"
#include "support/live_adapter.hpp"
#include "support/served_disk.hpp"

namespace causeway::test {
namespace {

namespace wire = abi::block;
using wire::Kind;
using wire::Request;
using Bytes = std::vector<std::byte>;

constexpr std::uint64_t kBytes = 4 << 20;
constexpr std::uint32_t kMemory = 1 << 20;

template<typename T>
[[nodiscard]] Bytes bytes_of(const T& record) {
    const auto* const at = reinterpret_cast<const std::byte*>(&record);
    return {at, at + sizeof record};
}

class BlockHostile : public testing::TestWithParam<const char*> {
protected:
    BlockHostile() {
        served.start([](block::ImageTerms&, block::UnitTerms& unit) {
            unit.others.grant = block::Grant::shared;
        });
        block::DiskTerms terms;
        terms.access = CW_DISK_SHARED;
        terms.executor = executor_of(GetParam());
        good =
            block::Disk::open(good_partition, ServedDisk::kTarget, terms, 20'000'000'000).value();
        come();
    }
    ~BlockHostile() override {
        villain.reset();
        good.reset();
        good_partition->close();
        served.stop();
    }
    // `few`: with room for one answer.
    void come(bool few = false) {
        messaging::HostTerms terms;
        terms.partition = partition;
        terms.target = ServedDisk::kTarget;
        terms.channel.service = wire::kService;
        terms.channel.messages = few ? 1 : 512;
        terms.channel.message = 2048;
        terms.channel.sends = few ? 128 : 64;
        terms.channel.place = 250'000;
        terms.channel.executor = executor_of(GetParam());
        villain = std::make_unique<messaging::Host>(terms);
        until([&] { return villain->channel() != nullptr; });
    }
    template<typename F>
    void until(F&& f) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (!f()) {
            (void)villain->step(mine);
            if (std::chrono::steady_clock::now() > end)
                throw std::runtime_error("did not come about: " + villain->trouble());
        }
    }
    void say(std::uint16_t kind, const Bytes& bytes, std::uint64_t of = 0) {
        until([&] {
            messaging::Channel* const channel = villain->channel();
            if (channel == nullptr)
                return false;
            if (!bytes.empty())
                std::memcpy(channel->place(), bytes.data(), bytes.size());
            return channel->send_place(kind, of, static_cast<std::uint32_t>(bytes.size())) ==
                   ErrorCode::none;
        });
    }
    void open_disk(wire::Access access = wire::Access::shared) {
        const std::size_t before = mine.got.size();
        wire::Open open{};
        open.access = static_cast<std::uint32_t>(access);
        say(static_cast<std::uint16_t>(Kind::open), bytes_of(open));
        until([&] { return mine.got.size() > before; });
        ASSERT_EQ(mine.got.back().kind, static_cast<std::uint16_t>(Kind::opened));
    }
    // What the unit answers a request with: an errno number.
    [[nodiscard]] std::uint32_t ask(Kind kind, const Request& request, std::size_t data = 0) {
        Bytes bytes = bytes_of(request);
        bytes.resize(bytes.size() + data, std::byte{0xee});
        const std::size_t before = mine.got.size();
        say(static_cast<std::uint16_t>(kind), bytes, ++tag);
        until([&] { return mine.got.size() > before; });
        EXPECT_EQ(mine.got.back().tag, tag);
        EXPECT_EQ(mine.got.back().kind, static_cast<std::uint16_t>(Kind::done));
        wire::Done done{};
        std::memcpy(&done, mine.got.back().bytes.data(), sizeof done);
        return done.error;
    }
    [[nodiscard]] Request into_memory(std::uint64_t offset, std::uint32_t length) const {
        const cw_remote remote = memory->remote(0);
        return {offset, length, 0, remote.handle, remote.generation, remote.address};
    }
    [[nodiscard]] std::unique_ptr<client::Region> own_memory() const {
        constexpr std::uint32_t kAccess =
            CW_ACCESS_REMOTE_READ | CW_ACCESS_REMOTE_WRITE | CW_ACCESS_EXPORTABLE;
        return std::make_unique<client::Region>(
            client::Region::allocate(partition, kMemory, {.access = kAccess}).value());
    }
    // The other host's requests are as good as ever, and the image holds what it wrote.
    void expect_good_goes_on() {
        Bytes back(pattern.size());
        cw_disk_request request{};
        cw_disk_result result{};
        request.operation = CW_DISK_OP_WRITE;
        request.offset = 4096;
        request.length = pattern.size();
        request.data = pattern.data();
        good->call(request, result).value();
        EXPECT_EQ(result.error, 0);
        request.operation = CW_DISK_OP_READ;
        request.data = back.data();
        good->call(request, result).value();
        EXPECT_EQ(result.error, 0);
        EXPECT_TRUE(back == pattern);
        EXPECT_EQ(good->info().connections, 1u);
    }

    LiveAdapter adapter{LiveAdapter::Kind::forked};
    ServedDisk served{adapter.socket(), kBytes};
    std::shared_ptr<client::Partition> good_partition =
        client::Partition::attach(adapter.socket(), "good", {}).value();
    std::shared_ptr<client::Partition> partition =
        client::Partition::attach(adapter.socket(), "villain", {}).value();
    std::unique_ptr<client::Region> memory = own_memory();
    Bytes pattern = Bytes(300'000, std::byte{0x5a});
    std::unique_ptr<block::Disk> good;
    std::unique_ptr<messaging::Host> villain;
    Keeper mine;
    std::uint64_t tag = 0;
};
INSTANTIATE_TEST_SUITE_P(Executors, BlockHostile, testing::Values("adapter", "direct"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(BlockHostile, NothingGoesBeforeTheDiskIsOpen) {
    EXPECT_EQ(ask(Kind::read, into_memory(0, 4096)), static_cast<std::uint32_t>(EINVAL));
    EXPECT_EQ(ask(Kind::write, into_memory(0, 100), 100), static_cast<std::uint32_t>(EINVAL));
    EXPECT_EQ(ask(Kind::flush, {}), static_cast<std::uint32_t>(EINVAL));
    open_disk(wire::Access::read);
    EXPECT_EQ(ask(Kind::read, into_memory(0, 4096)), 0u);
    EXPECT_EQ(ask(Kind::write, into_memory(0, 100), 100), static_cast<std::uint32_t>(EPERM));
    EXPECT_EQ(ask(Kind::zero, into_memory(0, 100)), static_cast<std::uint32_t>(EPERM));
    EXPECT_EQ(ask(Kind::discard, into_memory(0, 100)), static_cast<std::uint32_t>(EPERM));
    expect_good_goes_on();
}

TEST_P(BlockHostile, RangesOutsideTheDiskAreRefused) {
    open_disk();
    for (const Kind kind : {Kind::read, Kind::zero, Kind::discard, Kind::extents}) {
        for (const std::uint64_t offset : {kBytes, kBytes - 4095, kBytes + 1,
                                           std::uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 4095}) {
            EXPECT_NE(ask(kind, into_memory(offset, 4096)), 0u) << offset;
        }
        EXPECT_NE(ask(kind, into_memory(0, 0)), 0u);
        EXPECT_NE(ask(kind, into_memory(0, UINT32_MAX)), 0u);
    }
    EXPECT_EQ(ask(Kind::write, into_memory(kBytes - 50, 100), 100),
              static_cast<std::uint32_t>(ENOSPC));
    expect_good_goes_on();
}

TEST_P(BlockHostile, WritesThatBringOtherThanTheySayAreRefused) {
    open_disk();
    for (const auto& [says, brings] :
         {std::pair{100u, 99u}, {100u, 101u}, {0u, 10u}, {10u, 0u}, {UINT32_MAX, 10u}})
        EXPECT_NE(ask(Kind::write, into_memory(0, says), brings), 0u) << says << " " << brings;
    EXPECT_EQ(ask(Kind::write, into_memory(0, 200'000), 200'000), 0u);
    expect_good_goes_on();
}

TEST_P(BlockHostile, UnknownFlagsAndKindsAreRefused) {
    open_disk();
    for (std::uint32_t bit = 5; bit < 32; ++bit) {
        Request request = into_memory(0, 4096);
        request.flags = 1U << bit;
        EXPECT_EQ(ask(Kind::read, request), static_cast<std::uint32_t>(EINVAL));
    }
    // Kinds that there are not, and requests that are none, are not answered.
    const std::size_t before = mine.got.size();
    for (const int kind : {5, 15, 22, 31, 32, 1000, 65'535})
        say(static_cast<std::uint16_t>(kind), bytes_of(into_memory(0, 4096)));
    for (const std::size_t length : {0u, 1u, 31u})
        say(static_cast<std::uint16_t>(Kind::read), Bytes(length));
    EXPECT_EQ(ask(Kind::flush, {}), 0u);
    EXPECT_EQ(mine.got.size(), before + 1);
    expect_good_goes_on();
}

// Memory that it does not have, has not granted, or only a part of.
TEST_P(BlockHostile, MemoryThatIsNotThereEndsThatConnectionAtMost) {
    const auto region = [&](std::uint32_t access) {
        return client::Region::allocate(partition, 65'536, {.access = access}).value();
    };
    const client::Region shut = region(CW_ACCESS_LOCAL);
    const client::Region only_read = region(CW_ACCESS_REMOTE_READ | CW_ACCESS_EXPORTABLE);
    const auto request = [&](const cw_remote& at, std::uint32_t length) -> Request {
        return {0, length, 0, at.handle, at.generation, at.address};
    };
    const auto end = [&](cw_remote at) {
        at.address += kMemory - 100;
        return at;
    };
    const cw_remote mine_at = memory->remote(0);
    const std::vector<Request> wrong{
        request({0, 0, 0}, 4096),
        request({mine_at.handle + 1000, mine_at.generation, mine_at.address}, 4096),
        request({mine_at.handle, mine_at.generation + 1, mine_at.address}, 4096),
        request({mine_at.handle, mine_at.generation, 0}, 4096),
        request(end(mine_at), 4096),
        request(shut.remote(0), 4096),
        request(only_read.remote(0), 4096)};
    for (const Request& each : wrong) {
        open_disk();
        const std::uint32_t connections = villain->connections();
        const std::size_t before = mine.got.size();
        say(static_cast<std::uint16_t>(Kind::read), bytes_of(each), 77);
        // Executor direct: the unit looks first. Adapter: its Write fails, and the connection ends.
        until([&] { return mine.got.size() > before || villain->connections() > connections; });
        if (mine.got.size() > before) {
            wire::Done done{};
            std::memcpy(&done, mine.got.back().bytes.data(), sizeof done);
            EXPECT_EQ(done.error, static_cast<std::uint32_t>(EFAULT));
        }
        if (villain->connections() == connections) {
            villain.reset();
            come();
        }
        expect_good_goes_on();
    }
    open_disk();
    Request in_place = request(shut.remote(0), 4096);
    in_place.flags = wire::request_flag::kInPlace;
    EXPECT_EQ(ask(Kind::write, in_place), static_cast<std::uint32_t>(EFAULT));
    expect_good_goes_on();
}

// They ask for more than there is memory for at once, and take no answers: all of them together
// hold none of it.
TEST_P(BlockHostile, ThoseWhoTakeNoAnswersHoldUpNobody) {
    struct Villain {
        std::shared_ptr<client::Partition> partition;
        std::unique_ptr<client::Region> memory;
        std::unique_ptr<messaging::Host> host;
    };
    std::vector<Villain> others;
    for (int number = 0; number < 6; ++number) {
        villain.reset();
        come(true);
        open_disk();
        for (const std::uint32_t length : {200'000u, 4096u}) {
            for (int i = 0; i < 60; ++i) {
                Bytes bytes = bytes_of(into_memory(500'000, length));
                messaging::Channel& channel = *villain->channel();
                std::memcpy(channel.place(), bytes.data(), bytes.size());
                ASSERT_EQ(channel.send_place(static_cast<std::uint16_t>(Kind::read), 0,
                                             static_cast<std::uint32_t>(bytes.size())),
                          ErrorCode::none);
            }
        }
        others.push_back(
            {std::exchange(partition, client::Partition::attach(
                                          adapter.socket(), "villain" + std::to_string(number), {})
                                          .value()),
             std::exchange(memory, nullptr), std::move(villain)});
        memory = own_memory();
    }
    expect_good_goes_on();
    expect_good_goes_on();
    come();
}

TEST_P(BlockHostile, WhoeverGoesInTheMiddleLeavesNothing) {
    std::mt19937 random(4);
    for (int round = 0; round < 20; ++round) {
        open_disk();
        for (int i = 0; i < 60; ++i) {
            const auto length = static_cast<std::uint32_t>(1 + random() % 200'000);
            const auto offset = 400'000 + random() % (kBytes - 700'000);
            if (i % 2 == 0)
                say(static_cast<std::uint16_t>(Kind::read), bytes_of(into_memory(offset, length)));
            else
                say(static_cast<std::uint16_t>(Kind::zero), bytes_of(into_memory(offset, length)));
        }
        villain.reset();
        come();
    }
    expect_good_goes_on();
    good.reset();
    villain.reset();
    served.stop();
    for (const auto& host : served.figures()) {
        if (host.partition == "good") {
            EXPECT_EQ(host.counters.errors, 0u);
        }
    }
}

TEST_P(BlockHostile, RandomRequestsDoNoHarm) {
    std::mt19937_64 random(9);
    open_disk();
    const cw_remote at = memory->remote(0);
    for (int i = 0; i < 4000; ++i) {
        Request request{random() % (2 * kBytes),
                        static_cast<std::uint32_t>(random() % 300'000),
                        static_cast<std::uint32_t>(random() % 32),
                        at.handle,
                        at.generation,
                        at.address + random() % 100'000};
        if (random() % 8 == 0)
            request.offset = random();
        if (random() % 8 == 0)
            request.length = static_cast<std::uint32_t>(random());
        request.offset |= request.offset < 400'000 ? 0x100000 : 0;  // not where the good one writes
        const auto kind = static_cast<std::uint16_t>(16 + random() % 6);
        Bytes bytes = bytes_of(request);
        if (kind == static_cast<std::uint16_t>(Kind::write) && request.length < 250'000)
            bytes.resize(bytes.size() + request.length);
        // A read that would end outside the memory ends the connection with executor adapter.
        say(kind, bytes, static_cast<std::uint64_t>(i));
        if (villain->channel() == nullptr) {
            until([&] { return villain->channel() != nullptr; });
            open_disk();
        }
        mine.got.clear();
    }
    expect_good_goes_on();
}

// ---- a unit that is none

class DiskHostile : public testing::TestWithParam<const char*> {
protected:
    DiskHostile() {
        messaging::ChannelTerms terms;
        terms.service = wire::kService;
        terms.message = 4096 + sizeof(Request);
        terms.place = 4096;
        terms.buffers = 2;
        terms.buffer = 300'000;
        service = messaging::Service::open(unit_partition, "disk0", terms).value();
        unit.on_message = [this](messaging::Channel& from, const messaging::Message& message) {
            if (message.kind == static_cast<std::uint16_t>(Kind::open))
                answer(from, Kind::opened, bytes_of(opened), 0);
            else if (on_request)
                on_request(from, message);
            from.release(message.token);
        };
        opened.size = kBytes;
        opened.block = 1;
        opened.depth = 64;
        opened.most_moved = 65'536;
        opened.most_deallocate = 1 << 20;
    }
    static void answer(messaging::Channel& to, Kind kind, const Bytes& bytes, std::uint64_t tag) {
        std::memcpy(to.place(), bytes.data(), bytes.size());
        (void)to.send_place(static_cast<std::uint16_t>(kind), tag,
                            static_cast<std::uint32_t>(bytes.size()));
    }
    // On a thread of its own, as long as `act` runs.
    void serve(const std::function<void()>& act) {
        std::atomic<bool> stop{false};
        std::thread thread([&] {
            while (!stop) {
                if (!service->step(unit))
                    service->settle();
            }
        });
        act();
        stop = true;
        thread.join();
    }
    [[nodiscard]] Result<std::unique_ptr<block::Disk>> open_disk(
        std::uint64_t timeout_ms = 10'000) {
        block::DiskTerms terms;
        terms.executor = executor_of(GetParam());
        terms.timeout_ns = 300'000'000;
        return block::Disk::open(partition, "storage/disk0", terms, timeout_ms * 1'000'000);
    }

    LiveAdapter adapter{LiveAdapter::Kind::forked};
    std::shared_ptr<client::Partition> unit_partition =
        client::Partition::attach(adapter.socket(), "storage", {}).value();
    std::shared_ptr<client::Partition> partition =
        client::Partition::attach(adapter.socket(), "host", {}).value();
    std::unique_ptr<messaging::Service> service;
    Keeper unit;
    wire::Opened opened{};
    std::function<void(messaging::Channel&, const messaging::Message&)> on_request;
};
INSTANTIATE_TEST_SUITE_P(Executors, DiskHostile, testing::Values("adapter", "direct"),
                         [](const auto& each) { return std::string(each.param); });

TEST_P(DiskHostile, ADiskThatMakesNoSenseIsNotOpened) {
    const wire::Opened good = opened;
    const std::vector<std::function<void()>> wrongs{
        [&] { opened.size = 0; },        [&] { opened.block = 0; },
        [&] { opened.block = 3; },       [&] { opened.block = 1U << 31; },
        [&] { opened.depth = 0; },       [&] { opened.most_moved = 0; },
        [&] { opened.block = 131'072; }, [&] { opened.most_deallocate = 0; }};
    for (const auto& wrong : wrongs) {
        opened = good;
        wrong();
        serve([&] {
            const auto disk = open_disk();
            ASSERT_FALSE(disk.has_value());
            EXPECT_EQ(disk.error().code, ErrorCode::protocol) << disk.error().text;
        });
    }
    opened = good;
    serve([&] { EXPECT_TRUE(open_disk().has_value()); });
}

TEST_P(DiskHostile, AnswersToWhatWasNotAskedEndTheConnectionOnly) {
    std::mt19937_64 random(3);
    on_request = [&](messaging::Channel& from, const messaging::Message& message) {
        wire::Done done{static_cast<std::uint32_t>(random() % 200),
                        static_cast<std::uint32_t>(random())};
        Bytes bytes = bytes_of(done);
        bytes.resize(random() % 3 == 0 ? bytes.size() : random() % 1000);
        const std::uint64_t tag =
            random() % 2 == 0 ? message.tag : random() % 4 << 32 | random() % 300;
        answer(from, Kind::done, bytes, tag);
        if (random() % 2 == 0)
            answer(from, Kind::done, bytes, tag);
    };
    serve([&] {
        auto disk = open_disk().value();
        Bytes buffer(100'000);
        std::array<cw_disk_extent, 4> extents{};
        for (std::uint32_t i = 0; i < 60; ++i) {
            cw_disk_request request{};
            request.operation = CW_DISK_OP_READ + i % 6;
            request.length = request.operation == CW_DISK_OP_FLUSH ? 0 : buffer.size();
            request.data = buffer.data();
            if (request.operation == CW_DISK_OP_EXTENTS) {
                request.data = extents.data();
                request.room = extents.size();
            }
            cw_disk_result result{};
            // It ends in some way, and within the time that it has.
            ASSERT_TRUE(disk->call(request, result).has_value());
            EXPECT_LE(result.extents, extents.size());
        }
    });
}

}  // namespace
}  // namespace causeway::test
