// Wrong bytes on the control connection: every byte of every valid request flipped, one at a time;
// random messages; wrong sizes. Deterministic. Nobody else may notice, nothing may stay behind.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "support/in_process_adapter.hpp"
#include "support/neighbour.hpp"
#include "support/random.hpp"
#include "support/raw_client.hpp"

namespace causeway {
namespace {

using test::InProcessAdapter;
using test::Neighbours;
using test::RawClient;
using test::RawReply;
using test::RawSession;

constexpr std::uint64_t kRegion = 64 << 10;

template<typename T>
std::vector<std::byte> bytes_of(const T& request) {
    const auto view = control::bytes_of(request);
    return {view.begin(), view.end()};
}

// A request that would be granted, what comes with it, and how it is made possible: `session` is
// fresh. Every kind of request once.
struct Valid {
    std::vector<std::byte> bytes;
    platform::UniqueFd descriptor;
    bool attached = true;
};
using Make = std::function<Valid(RawSession& session)>;

abi::RegisterReply registered(RawSession& session) {
    const auto file = test::region_file(kRegion);
    return session.client.call(test::register_request(kRegion), file.get())
        ->as<abi::RegisterReply>();
}

std::uint32_t some_pair(RawSession& session) {
    return session.create_queue_pair(session.open_completions());
}

std::map<std::string, Make> valid_requests() {
    std::map<std::string, Make> all;
    const auto simple = [](const auto& request) {
        return [request](RawSession&) { return Valid{bytes_of(request), {}}; };
    };
    all["open_doorbell"] = simple(test::doorbell_request(abi::DoorbellKind::completions));
    all["listen"] = simple(test::listen_request("some-service"));
    all["listen_as"] =
        simple(test::controller_request("some-controller", abi::ControllerType::block));
    all["bus"] = simple(test::bus_request(1, abi::bus_flag::kTell));
    all["bus_users"] = [](RawSession& session) {
        const auto listener =
            session.client.call(test::controller_request("own", abi::ControllerType::network))
                ->as<abi::ListenReply>()
                .listener;
        return Valid{bytes_of(test::bus_users_request(
                         std::uint64_t{session.attached.session} << 32 | listener)),
                     {}};
    };
    all["stats"] = simple(test::stats_request(abi::StatsKind::queue_pairs));
    all["wakeup_socket"] = [](RawSession& session) {
        auto request = control::make<abi::DoorbellRequest>(abi::Request::wakeup_socket);
        request.doorbell = session.open_completions();
        return Valid{bytes_of(request), {}};
    };
    all["close_doorbell"] = [](RawSession& session) {
        auto request = control::make<abi::DoorbellRequest>(abi::Request::close_doorbell);
        request.doorbell = session.open_completions();
        return Valid{bytes_of(request), {}};
    };
    all["register_region"] = [](RawSession&) {
        return Valid{bytes_of(test::register_request(kRegion)), test::region_file(kRegion)};
    };
    all["deregister_region"] = [](RawSession& session) {
        return Valid{
            bytes_of(test::region_request(abi::Request::deregister_region, registered(session))),
            {}};
    };
    all["region_status"] = [](RawSession& session) {
        return Valid{
            bytes_of(test::region_request(abi::Request::region_status, registered(session))), {}};
    };
    all["create_queue_pair"] = [](RawSession& session) {
        return Valid{bytes_of(test::create_request(session.open_completions())), {}};
    };
    all["close_listener"] = [](RawSession& session) {
        auto request = control::make<abi::CloseListenerRequest>(abi::Request::close_listener);
        request.listener = session.listen("some-service");
        return Valid{bytes_of(request), {}};
    };
    all["connect"] = [](RawSession& session) {
        return Valid{bytes_of(test::connect_request(some_pair(session), "peer/service")), {}};
    };
    all["accept"] = [](RawSession& session) {
        const std::uint32_t queue = session.open_completions();
        const std::uint32_t listener = session.listen("own");
        const std::uint32_t caller = session.create_queue_pair(queue);
        const std::string name = session.attached.name;
        session.client.call(test::connect_request(caller, name + "/own"));
        return Valid{bytes_of(test::accept_request(listener, session.create_queue_pair(queue))),
                     {}};
    };
    all["disconnect"] = [](RawSession& session) {
        return Valid{bytes_of(test::disconnect_request(some_pair(session))), {}};
    };
    return all;
}

class ControlBytes : public testing::TestWithParam<std::string> {};

// What must hold of any reply: it answers, with a text if it refuses.
void check_reply(const std::optional<RawReply>& reply, const std::string& what) {
    ASSERT_TRUE(reply.has_value()) << what << ": no answer, the session was closed";
    ASSERT_GE(reply->bytes.size(), sizeof(abi::Header)) << what;
    ASSERT_EQ(reply->header.size, reply->bytes.size()) << what;
    if (!reply->ok()) {
        ASSERT_FALSE(reply->text().empty()) << what;
        ASSERT_NE(std::string(error_name(reply->code())), "unknown") << what;
    }
}

TEST_P(ControlBytes, EveryFlippedByteGetsAnAnswerAndHarmsNobody) {
    const InProcessAdapter adapter;
    Neighbours neighbours(adapter.socket());
    RawSession peer(adapter.socket(), "peer");
    peer.listen("service", 1024);
    const std::size_t files = test::open_files();
    const std::size_t mappings = test::shared_mappings();
    const Make make = valid_requests().at(GetParam());
    std::size_t size = 0;
    {
        RawSession probe(adapter.socket(), "hostile");
        const Valid valid = make(probe);
        size = valid.bytes.size();
        const int fd = valid.descriptor.get();
        const auto reply = probe.client.exchange(valid.bytes, std::span(&fd, fd < 0 ? 0 : 1));
        ASSERT_TRUE(reply && reply->ok()) << "the request is valid as it is: " << reply->text();
    }
    for (std::size_t at = 0; at < size; ++at) {
        RawSession session(adapter.socket(), "hostile");
        for (const unsigned flip : {0x01u, 0x80u, 0xffu}) {
            Valid valid = make(session);
            valid.bytes[at] ^= std::byte(flip);
            const int fd = valid.descriptor.get();
            check_reply(
                session.client.exchange(valid.bytes, std::span(&fd, fd < 0 ? 0 : 1)),
                GetParam() + ", byte " + std::to_string(at) + " with " + std::to_string(flip));
            if (HasFatalFailure())
                return;
            // Whatever became of it, the session itself goes on, with a name of its own objects.
            session.client.close();
            session = RawSession(adapter.socket(), "hostile");
        }
        if (at % 32 == 0)
            neighbours.exchange();
    }
    neighbours.exchange();
    EXPECT_TRUE(test::eventually([&] {
        return test::open_files() <= files && test::shared_mappings() <= mappings;
    })) << test::open_files()
        << " descriptors, " << files << " before; " << test::shared_mappings() << " mappings, "
        << mappings << " before";
}

TEST_P(ControlBytes, EverySizeGetsAnAnswer) {
    const InProcessAdapter adapter;
    Neighbours neighbours(adapter.socket());
    const Make make = valid_requests().at(GetParam());
    for (std::size_t size = 1; size <= 200; ++size) {
        RawSession session(adapter.socket(), "hostile");
        Valid valid = make(session);
        const bool whole = size == valid.bytes.size();
        const auto claimed = static_cast<std::uint32_t>(valid.bytes.size());
        valid.bytes.resize(size);
        const int fd = valid.descriptor.get();
        // Once with the old size in the header, once with the true one.
        const auto as_is = session.client.exchange(valid.bytes, std::span(&fd, fd < 0 ? 0 : 1));
        check_reply(as_is, GetParam() + " of " + std::to_string(size));
        if (HasFatalFailure())
            return;
        EXPECT_TRUE(whole || !as_is->ok()) << claimed << " claimed, " << size << " sent";
        if (size < sizeof(abi::Header))
            continue;
        const auto true_size = static_cast<std::uint32_t>(size);
        std::memcpy(valid.bytes.data(), &true_size, sizeof true_size);
        check_reply(session.client.exchange(valid.bytes, std::span(&fd, fd < 0 ? 0 : 1)),
                    GetParam() + " of " + std::to_string(size));
        if (HasFatalFailure())
            return;
    }
    neighbours.exchange();
}

INSTANTIATE_TEST_SUITE_P(Requests, ControlBytes,
                         testing::Values("open_doorbell", "listen", "listen_as", "bus", "bus_users",
                                         "stats", "wakeup_socket", "close_doorbell",
                                         "register_region", "deregister_region", "region_status",
                                         "create_queue_pair", "close_listener", "connect", "accept",
                                         "disconnect"),
                         [](const auto& each) { return each.param; });

TEST(ControlBytes, EveryFlippedByteOfAttachGetsAnAnswer) {
    const InProcessAdapter adapter;
    Neighbours neighbours(adapter.socket());
    const auto valid = bytes_of(test::attach_request("hostile"));
    for (std::size_t at = 0; at < valid.size(); ++at) {
        for (const unsigned flip : {0x01u, 0x80u, 0xffu}) {
            RawClient client(adapter.socket());
            auto bytes = valid;
            bytes[at] ^= std::byte(flip);
            check_reply(client.exchange(bytes), "attach, byte " + std::to_string(at));
            if (HasFatalFailure())
                return;
        }
    }
    neighbours.exchange();
}

TEST(ControlBytes, RandomMessagesHarmNobody) {
    const InProcessAdapter adapter;
    Neighbours neighbours(adapter.socket());
    const std::size_t files = test::open_files();
    const std::size_t mappings = test::shared_mappings();
    test::Random random(20010504);
    std::vector<std::byte> bytes;
    {
        RawSession session(adapter.socket("a"), "a");
        RawClient unattached(adapter.socket());
        for (int i = 0; i < 20'000; ++i) {
            bytes.resize(random.between(1, random.one_in(50) ? 4096 : 200));
            random.fill(bytes);
            if (!random.one_in(4) && bytes.size() >= sizeof(abi::Header)) {
                // Past the header: a known type, the true size, no flags, no error.
                abi::Header header{};
                header.size = static_cast<std::uint32_t>(bytes.size());
                header.type = static_cast<std::uint16_t>(random.between(1, 14));
                std::memcpy(bytes.data(), &header, sizeof header);
                // Small numbers hit more than large ones.
                for (std::size_t at = sizeof header; at < bytes.size(); ++at) {
                    if (!random.one_in(8))
                        bytes[at] = std::byte(random.one_in(4) ? random.below(4) : 0);
                }
            }
            RawClient& client = i % 8 == 0 ? unattached : session.client;
            check_reply(client.exchange(bytes), "message " + std::to_string(i));
            if (HasFatalFailure())
                return;
            if (i % 2000 == 0)
                neighbours.exchange();
        }
    }
    neighbours.exchange();
    EXPECT_TRUE(test::eventually([&] {
        return test::open_files() <= files && test::shared_mappings() <= mappings;
    })) << test::open_files()
        << " descriptors, " << files << " before; " << test::shared_mappings() << " mappings, "
        << mappings << " before";
}

}  // namespace
}  // namespace causeway
