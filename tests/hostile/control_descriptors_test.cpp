// Wrong descriptors on the control connection: in masses, where none is wanted, of every kind.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "support/in_process_adapter.hpp"
#include "support/lingering.hpp"
#include "support/neighbour.hpp"
#include "support/raw_client.hpp"

namespace causeway {
namespace {

using test::InProcessAdapter;
using test::Neighbours;
using test::RawClient;
using test::RawSession;

constexpr std::uint64_t kRegion = 64 << 10;

class ControlDescriptors : public testing::Test {
protected:
    // After this, everything that the attacker brought must be gone.
    void expect_baseline() {
        neighbours.exchange();
        EXPECT_TRUE(test::eventually([&] {
            return test::open_files() <= files && test::shared_mappings() <= mappings;
        })) << test::open_files()
            << " descriptors, " << files << " before; " << test::shared_mappings() << " mappings, "
            << mappings << " before";
    }

    InProcessAdapter adapter;
    Neighbours neighbours{adapter.socket()};
    std::size_t files = test::open_files();
    std::size_t mappings = test::shared_mappings();
};

TEST_F(ControlDescriptors, MassesOfThemAreRefused) {
    {
        RawSession session(adapter.socket("a"), "a");
        const platform::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
        const auto request = test::register_request(kRegion);
        for (const std::size_t count : {2u, 3u, 100u, 253u}) {
            const std::vector<int> many(count, null.get());
            for (int i = 0; i < 20; ++i) {
                const auto reply = session.client.exchange(control::bytes_of(request), many);
                ASSERT_TRUE(reply.has_value());
                EXPECT_EQ(reply->code(), ErrorCode::protocol);
            }
        }
        const auto good = test::region_file(kRegion);
        EXPECT_TRUE(session.client.call(request, good.get())->ok()) << "the session goes on";
    }
    expect_baseline();
}

TEST_F(ControlDescriptors, WhereNoneIsTakenTheyAreRefused) {
    {
        RawSession session(adapter.socket("a"), "a");
        const auto file = test::region_file(kRegion);
        for (int i = 0; i < 100; ++i) {
            const auto stats =
                session.client.call(test::stats_request(abi::StatsKind::adapter), file.get());
            EXPECT_EQ(stats->code(), ErrorCode::protocol);
            const auto listen =
                session.client.call(test::listen_request("s" + std::to_string(i)), file.get());
            EXPECT_EQ(listen->code(), ErrorCode::protocol);
        }
        RawClient unattached(adapter.socket());
        EXPECT_EQ(unattached.call(test::attach_request("x"), file.get())->code(),
                  ErrorCode::protocol);
    }
    expect_baseline();
}

TEST_F(ControlDescriptors, OnlyMemoryFilesBecomeRegions) {
    {
        RawSession session(adapter.socket("a"), "a");
        std::vector<platform::UniqueFd> others;
        const auto add = [&others](int fd) { others.emplace_back(fd); };
        int ends[2];
        ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
        add(ends[0]);
        add(ends[1]);
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
        add(ends[0]);
        add(ends[1]);
        add(::epoll_create1(EPOLL_CLOEXEC));
        add(::eventfd(0, EFD_CLOEXEC));
        add(::open("/dev/zero", O_RDWR | O_CLOEXEC));
        add(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
        add(::open("/proc/self/mem", O_RDWR | O_CLOEXEC));
        add(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        add(::open("/", O_PATH | O_CLOEXEC));
        add(::dup(session.client.fd()));
        add(platform::connect_to(adapter.socket()).value().release());
        for (const auto& fd : others) {
            ASSERT_TRUE(fd.valid());
            const auto reply = session.client.call(test::register_request(kRegion), fd.get());
            ASSERT_TRUE(reply.has_value());
            EXPECT_EQ(reply->code(), ErrorCode::invalid_argument) << reply->text();
        }
        EXPECT_EQ(session.client.call(test::register_request(kRegion))->code(),
                  ErrorCode::invalid_argument)
            << "none at all";
    }
    expect_baseline();
}

TEST_F(ControlDescriptors, LeftUnreadInTheSocketTheyGoWithIt) {
    for (int round = 0; round < 20; ++round) {
        RawClient client(adapter.socket());
        const platform::UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
        const std::vector<int> many(253, null.get());
        const auto request = test::attach_request("x");
        for (int i = 0; i < 10; ++i)
            client.send(control::bytes_of(request), many);
    }
    expect_baseline();
}

TEST_F(ControlDescriptors, HalfRegistrationsCostTheirOwnerOnly) {
    {
        RawSession session(adapter.socket("a"), "a");
        auto request = test::register_request(std::uint64_t{4} * abi::kRegionPart);
        for (int i = 0; i < 10; ++i) {
            const auto part = test::region_file(abi::kRegionPart);
            request.part = 0;
            EXPECT_TRUE(session.client.call(request, part.get())->ok()) << i;
            // The file cannot be anybody else's part meanwhile.
            RawSession other(adapter.socket("b"), "b");
            EXPECT_EQ(
                other.client.call(test::register_request(abi::kRegionPart), part.get())->code(),
                ErrorCode::invalid_argument);
        }
    }
    expect_baseline();
}

// Descriptors whose closing hangs, in each of the ways in which the adapter comes to drop one: that
// is not wanted, that is one too many, that was never read. All of it waits in the adapter's
// sockets before it serves at all, so that nobody else holds them any more when it looks.
TEST(LingeringDescriptors, HoldUpNobodyElse) {
    InProcessAdapter adapter(nullptr, true);
    std::vector<std::unique_ptr<test::Lingering>> lingering;
    std::vector<RawClient> clients;
    const auto send = [&](const std::string& entrance, std::size_t count, bool attach) {
        RawClient client(adapter.socket(entrance));
        if (attach) {
            EXPECT_TRUE(client.send(control::bytes_of(test::attach_request(entrance))));
        }
        std::vector<int> descriptors;
        for (std::size_t i = 0; i < count; ++i) {
            lingering.push_back(std::make_unique<test::Lingering>(3600));
            descriptors.push_back(lingering.back()->fd());
        }
        EXPECT_TRUE(client.send(control::bytes_of(test::register_request(4096)), descriptors));
        return client;
    };
    clients.push_back(send("a", 1, true));
    clients.push_back(send("b", 3, true));
    clients.push_back(send("a", 1, false));
    clients.push_back(send("a", 2, false));
    for (int i = 0; i < 3; ++i)
        (void)send("b", 1, i == 0);  // and gone
    for (auto& each : lingering)
        each->give_up();

    adapter.run();
    Neighbours neighbours(adapter.socket());
    for (int i = 0; i < 20; ++i)
        neighbours.exchange();
    for (auto& each : lingering)
        each->release();
    // Nothing hangs any more: both entrances serve again.
    clients.clear();
    EXPECT_NO_THROW(RawSession(adapter.socket("a"), "a"));
    EXPECT_NO_THROW(RawSession(adapter.socket("b"), "b"));
    neighbours.exchange();
}

// Through the wake-up socket they would reach a mover.
TEST_F(ControlDescriptors, ThatLingerDoNotReachAMover) {
    test::Lingering lingering(3600);
    {
        RawSession session(adapter.socket("a"), "a");
        const auto opened =
            session.client.call(test::doorbell_request(abi::DoorbellKind::mover)).value();
        auto request = control::make<abi::DoorbellRequest>(abi::Request::wakeup_socket);
        request.doorbell = opened.as<abi::OpenDoorbellReply>().doorbell;
        auto reply = session.client.call(request).value();
        ASSERT_TRUE(reply.descriptor.valid());
        const std::byte wake{1};
        if (test::send_raw(reply.descriptor.get(), std::span(&wake, 1),
                           std::array{lingering.fd()})) {
            lingering.give_up();
        } else {
            EXPECT_EQ(errno, EPERM) << "this kernel keeps descriptors away, which is as good";
        }
        for (int i = 0; i < 20; ++i)
            neighbours.exchange();
    }
    neighbours.exchange();
    lingering.release();
    expect_baseline();
}

// Holes that appear between the check and the mapping, and while the region is there.
TEST_F(ControlDescriptors, HolesHarmNobody) {
    {
        RawSession session(adapter.socket("a"), "a");
        for (int i = 0; i < 20; ++i) {
            const auto file = test::region_file(8 << 20);
            ASSERT_TRUE(session.client.send(control::bytes_of(test::register_request(8 << 20)),
                                            std::span<const int>(std::array{file.get()})));
            ::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8 << 20);
            const auto reply = session.client.receive();
            ASSERT_TRUE(reply.has_value());
            ::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 8 << 20);
            if (reply->ok()) {
                EXPECT_TRUE(session.client
                                .call(test::region_request(abi::Request::deregister_region,
                                                           reply->as<abi::RegisterReply>()))
                                ->ok());
            }
        }
    }
    expect_baseline();
}

}  // namespace
}  // namespace causeway
