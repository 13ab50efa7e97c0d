// Observers that do more than look: they try everything else, come in masses, do not read. It costs
// the adapter a bounded amount, and nobody else anything.
#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "support/in_process_adapter.hpp"
#include "support/neighbour.hpp"
#include "support/raw_client.hpp"

namespace causeway {
namespace {

using test::InProcessAdapter;
using test::Neighbours;
using test::RawClient;
using test::RawReply;
using test::RawSession;

class ControlObserver : public testing::Test {
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

    // Whoever was refused may stay as long as the test takes.
    InProcessAdapter adapter{
        [](adapter::ServerOptions& options) { options.attach_patience_ns = 600'000'000'000; }};
    Neighbours neighbours{adapter.socket()};
    std::size_t files = test::open_files();
    std::size_t mappings = test::shared_mappings();
};

void expect_denied(const std::optional<RawReply>& reply) {
    ASSERT_TRUE(reply.has_value()) << "the session was closed";
    const std::string request = control::request_name(reply->header.type);
    EXPECT_EQ(reply->code(), ErrorCode::denied) << request << ": " << reply->text();
    EXPECT_NE(reply->text().find("may only ask for stats"), std::string::npos) << reply->text();
    EXPECT_FALSE(reply->descriptor.valid()) << request;
}

TEST_F(ControlObserver, EverythingButLookingIsRefused) {
    for (const char* entrance : {"", "a"}) {
        // A partition whose objects it names as if they were its own.
        RawSession partition(adapter.socket(entrance), entrance[0] == '\0' ? "victim" : "a");
        const std::uint32_t queue = partition.open_completions();
        const std::uint32_t pair = partition.create_queue_pair(queue);
        const std::uint32_t listener = partition.listen("service");
        const auto own = test::region_file(4096);
        const auto region = partition.client.call(test::register_request(4096), own.get())
                                ->as<abi::RegisterReply>();

        auto session = RawSession::observer(adapter.socket(entrance));
        RawClient& client = session.client;
        const auto file = test::region_file(4096);
        for (const auto kind :
             {abi::DoorbellKind::events, abi::DoorbellKind::mover, abi::DoorbellKind::completions})
            expect_denied(client.call(test::doorbell_request(kind)));
        for (const auto type : {abi::Request::wakeup_socket, abi::Request::close_doorbell}) {
            auto request = control::make<abi::DoorbellRequest>(type);
            request.doorbell = queue;
            expect_denied(client.call(request));
        }
        expect_denied(client.call(test::register_request(4096), file.get()));
        for (const auto type : {abi::Request::deregister_region, abi::Request::region_status})
            expect_denied(client.call(test::region_request(type, region)));
        expect_denied(client.call(test::create_request(queue)));
        expect_denied(client.call(test::listen_request("other")));
        auto close = control::make<abi::CloseListenerRequest>(abi::Request::close_listener);
        close.listener = listener;
        expect_denied(client.call(close));
        expect_denied(client.call(test::connect_request(pair, "neighbour-left/service")));
        expect_denied(client.call(test::accept_request(listener, pair)));
        expect_denied(client.call(test::disconnect_request(pair)));
        // It cannot become a partition either, nor an observer once more.
        EXPECT_EQ(client.call(test::attach_request("x"))->code(), ErrorCode::wrong_state);
        EXPECT_EQ(client.call(test::observer_request())->code(), ErrorCode::wrong_state);
        // Descriptors that come with what it may ask for are refused, too.
        EXPECT_EQ(client.call(test::stats_request(abi::StatsKind::adapter), file.get())->code(),
                  ErrorCode::protocol);

        EXPECT_EQ(client.call(test::bus_request(), file.get())->code(), ErrorCode::protocol);

        // It may still look, and the partition has all it had.
        EXPECT_TRUE(client.call(test::stats_request(abi::StatsKind::adapter))->ok());
        EXPECT_TRUE(client.call(test::bus_request())->ok());
        EXPECT_TRUE(
            partition.client.call(test::region_request(abi::Request::region_status, region))->ok());
        EXPECT_TRUE(partition.client.call(test::disconnect_request(pair))->ok());
    }
    expect_baseline();
}

// Every number of request, known or not, with any body.
TEST_F(ControlObserver, NoOtherNumberOfRequestIsGranted) {
    {
        auto session = RawSession::observer(adapter.socket("a"));
        for (std::uint16_t type = 0; type < 64; ++type) {
            if (type == static_cast<std::uint16_t>(abi::Request::stats) ||
                type == static_cast<std::uint16_t>(abi::Request::bus))
                continue;
            for (const std::size_t size : {16u, 24u, 48u, 96u, 152u, 4096u}) {
                std::vector<std::byte> bytes(size);
                abi::Header header{};
                header.size = static_cast<std::uint32_t>(size);
                header.type = type;
                std::memcpy(bytes.data(), &header, sizeof header);
                const auto reply = session.client.exchange(bytes);
                ASSERT_TRUE(reply.has_value()) << type << " of " << size;
                EXPECT_FALSE(reply->ok()) << type << " of " << size;
                EXPECT_FALSE(reply->text().empty()) << type << " of " << size;
            }
        }
    }
    expect_baseline();
}

TEST_F(ControlObserver, IsNotToldOfTheBus) {
    {
        auto session = RawSession::observer(adapter.socket("a"));
        const auto reply = session.client.call(test::bus_request(0, abi::bus_flag::kTell));
        ASSERT_TRUE(reply.has_value());
        EXPECT_EQ(reply->code(), ErrorCode::invalid_argument);
        EXPECT_NE(reply->text().find("no events"), std::string::npos) << reply->text();
        EXPECT_TRUE(session.client.call(test::bus_request())->ok());
    }
    expect_baseline();
}

TEST_F(ControlObserver, AFloodOfThemIsBoundedAndKeepsNobodyOut) {
    {
        std::vector<RawClient> crowd;
        std::size_t admitted = 0;
        for (int i = 0; i < 300; ++i) {
            crowd.emplace_back(adapter.socket("a"));
            const auto reply = crowd.back().call(test::observer_request());
            ASSERT_TRUE(reply.has_value());
            admitted += reply->ok() ? 1 : 0;
            if (!reply->ok()) {
                EXPECT_EQ(reply->code(), ErrorCode::limit_reached);
                EXPECT_NE(reply->text().find("try again"), std::string::npos) << reply->text();
            }
            if (i % 50 == 0)
                neighbours.exchange();
        }
        EXPECT_EQ(admitted, 16u);
        RawSession partition(adapter.socket("a"), "a");
        partition.create_queue_pair(partition.open_completions());
        EXPECT_NO_THROW((void)RawSession::observer(adapter.socket("b")));
        EXPECT_NO_THROW((void)RawSession::observer(adapter.socket()));
        // One that was refused may still be what it is entitled to.
        partition.client.close();
        EXPECT_TRUE(crowd.back().call(test::attach_request("a"))->ok());
    }
    expect_baseline();
    // And they may look again.
    EXPECT_NO_THROW((void)RawSession::observer(adapter.socket("a")));
}

TEST_F(ControlObserver, WhoNeverReadsIsShownOut) {
    for (const auto kind : {abi::StatsKind::adapter, abi::StatsKind::queue_pairs}) {
        auto session = RawSession::observer(adapter.socket());
        const auto request = test::stats_request(kind);
        EXPECT_TRUE(test::eventually([&] {
            for (int i = 0; i < 100 && session.client.send(control::bytes_of(request)); ++i) {}
            return session.client.closed();
        }));
        neighbours.exchange();
    }
    expect_baseline();
}

}  // namespace
}  // namespace causeway
