// The edges of the C ABI: nothing given, structures of other versions, names and texts.
#include <thread>

#include "client_world.hpp"

namespace causeway::test {
namespace {

class CApi : public ClientTest {};

TEST_F(CApi, NamesEveryErrorAndStatus) {
    for (int i = 0; i < abi::kErrorCount; ++i)
        EXPECT_STRNE(cw_error_name(i), "unknown") << i;
    EXPECT_STREQ(cw_error_name(CW_ERROR_ADAPTER_GONE), "adapter_gone");
    EXPECT_STREQ(cw_error_name(-1), "unknown");
    EXPECT_STREQ(cw_error_name(abi::kErrorCount), "unknown");
    for (int i = 0; i < abi::kStatusCount; ++i)
        EXPECT_STRNE(cw_status_name(i), "unknown") << i;
    EXPECT_STREQ(cw_status_name(CW_REMOTE_ACCESS), "remote_access");
    EXPECT_STREQ(cw_status_name(256), "unknown");  // not taken modulo 256
    EXPECT_STREQ(cw_status_name(-1), "unknown");
    EXPECT_STRNE(cw_version_string(), "");
}

TEST_F(CApi, ErrorTextsBelongToTheThread) {
    EXPECT_EQ(cw_partition_process_events(nullptr), CW_ERROR_INVALID_ARGUMENT);
    const std::string here = cw_error_text();
    EXPECT_NE(here, "");
    std::thread([] { EXPECT_STREQ(cw_error_text(), ""); }).join();
    EXPECT_EQ(cw_error_text(), here);
}

TEST_F(CApi, TakesNothingForAnError) {
    cw_partition* partition_out = nullptr;
    cw_region* region = nullptr;
    cw_queue_pair* pair = nullptr;
    cw_listener* listener = nullptr;
    cw_completion_queue* queue = nullptr;
    cw_completion one;
    int granted = 0;
    std::uint64_t offset = 0;
    const cw_slice slice{};
    const int results[] = {
        cw_partition_attach(nullptr, nullptr),
        cw_region_allocate(nullptr, 1, 0, 0, &region),
        cw_region_allocate(partition.get(), 1, 0, 0, nullptr),
        cw_region_adopt(nullptr, nullptr, 1, 0, 0, &region),
        cw_region_close(nullptr),
        cw_region_append_offset(nullptr, &offset),
        cw_region_deregister(nullptr, &granted),
        cw_region_deregister(memory.get(), nullptr),
        cw_region_narrow(nullptr, 0, &granted),
        cw_region_narrow(memory.get(), 0, nullptr),
        cw_region_append_offset(memory.get(), nullptr),
        cw_completion_queue_create(nullptr, 1, &queue),
        cw_completion_queue_create(partition.get(), 1, nullptr),
        -cw_completion_queue_poll(nullptr, &one, 1),
        -cw_completion_queue_poll(completions.get(), nullptr, 1),
        -cw_completion_queue_poll(completions.get(), &one, 0),
        -cw_completion_queue_poll(completions.get(), &one, -1),
        -cw_completion_queue_arm(nullptr),
        -cw_completion_queue_fd(nullptr),
        cw_queue_pair_create(nullptr, nullptr, &pair),
        cw_queue_pair_create(partition.get(), nullptr, &pair),
        cw_queue_pair_connect(nullptr, "a/b", 0),
        -cw_queue_pair_state_of(nullptr),
        cw_post_send(nullptr, &slice, 1, 1, 0, 0),
        cw_post_receive(nullptr, &slice, 1, 1),
        cw_listen(nullptr, "s", 1, &listener),
        cw_listen(partition.get(), nullptr, 1, &listener),
        cw_listen_as(nullptr, "s", 1, CW_CONTROLLER_BLOCK, &listener),
        cw_accept(nullptr, nullptr, 0),
        cw_stats("/nonexistent", 0, nullptr, nullptr),
        -cw_partition_event_fd(nullptr),
    };
    for (std::size_t i = 0; i < std::size(results); ++i)
        EXPECT_EQ(results[i], CW_ERROR_INVALID_ARGUMENT) << "call " << i;
    cw_partition_close(nullptr);
    cw_completion_queue_close(nullptr);
    cw_queue_pair_close(nullptr);
    cw_listener_close(nullptr);
    EXPECT_EQ(cw_region_data(nullptr), nullptr);
    EXPECT_STREQ(cw_queue_pair_peer(nullptr), "");
    EXPECT_EQ(partition_out, nullptr);
}

TEST_F(CApi, OptionsMayGrowAtTheirEnd) {
    struct Newer {
        cw_queue_pair_options options;
        std::uint64_t field_of_a_later_version;
    } newer{};
    newer.options.size = sizeof newer;
    newer.options.completions = completions.get();
    cw_queue_pair* out = nullptr;
    must(cw_queue_pair_create(partition.get(), &newer.options, &out));
    cw_queue_pair_close(out);
    newer.field_of_a_later_version = 1;
    EXPECT_EQ(cw_queue_pair_create(partition.get(), &newer.options, &out), CW_ERROR_UNSUPPORTED);
    newer.options.size = sizeof(cw_queue_pair_options) - 1;
    EXPECT_EQ(cw_queue_pair_create(partition.get(), &newer.options, &out),
              CW_ERROR_INVALID_ARGUMENT);
}

TEST_F(CApi, RefusesBadOptionsOfAQueuePair) {
    const auto error = [&](auto&& change) {
        cw_queue_pair_options options{};
        options.size = sizeof options;
        options.completions = completions.get();
        change(options);
        cw_queue_pair* none = nullptr;
        const int result = cw_queue_pair_create(partition.get(), &options, &none);
        EXPECT_EQ(none, nullptr);
        return result;
    };
    using Options = cw_queue_pair_options;
    for (const std::uint32_t entries : {1U, 2U, 3U, 5U, 100U, 1U << 17, 0xffffffffU}) {
        EXPECT_EQ(error([&](Options& o) { o.send_entries = entries; }), CW_ERROR_INVALID_ARGUMENT);
        EXPECT_EQ(error([&](Options& o) { o.receive_entries = entries; }),
                  CW_ERROR_INVALID_ARGUMENT);
    }
    EXPECT_EQ(error([](Options& o) { o.completions = nullptr; }), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(error([](Options& o) { o.executor = "magic"; }), CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(error([](Options& o) { o.patience = static_cast<cw_patience>(3); }),
              CW_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(adapter.count(abi::Request::create_queue_pair), 0);

    auto second = attach("second");
    cw_completion_queue* theirs = nullptr;
    must(cw_completion_queue_create(second.get(), 1, &theirs));
    EXPECT_EQ(error([&](Options& o) { o.completions = theirs; }), CW_ERROR_INVALID_ARGUMENT);
    cw_completion_queue_close(theirs);
}

TEST_F(CApi, LongTextsAreCutVisibly) {
    const std::string path = "/" + std::string(5000, 'x');
    const cw_attach_options options{sizeof options, path.c_str(), "a", 0};
    cw_partition* none = nullptr;
    EXPECT_NE(cw_partition_attach(&options, &none), CW_OK);
    const std::string text = cw_error_text();
    EXPECT_LT(text.size(), 1000U);
    EXPECT_FALSE(text.empty());
}

}  // namespace
}  // namespace causeway::test
