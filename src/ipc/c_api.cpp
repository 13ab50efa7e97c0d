#include "ipc/c_api.hpp"

namespace causeway::ipc::inner {
namespace {

[[nodiscard]] Result<std::uint32_t> within(const char* name, std::uint32_t value,
                                           std::uint32_t otherwise, std::uint32_t most) {
    if (value > most) {
        return fail_format(ErrorCode::invalid_argument, "cw_ipc_options.%s is %u; the most is %u",
                           name, value, most);
    }
    return value != 0 ? value : otherwise;
}

}  // namespace

Result<Terms> terms_of(const cw_ipc_options* options, const Terms& defaults) {
    if (options == nullptr)
        return defaults;
    CW_TRY(client::capi::check_options("cw_ipc_options", options, options->size, sizeof *options));
    CW_TRY(client::capi::check_wait("cw_ipc_options.wait", options->wait));
    Terms terms = defaults;
    CW_TRY_ASSIGN(terms.largest,
                  within("max_message", options->max_message, defaults.largest, kMostLargest));
    CW_TRY_ASSIGN(terms.largest_answer,
                  within("max_answer", options->max_answer, defaults.largest_answer, kMostLargest));
    CW_TRY_ASSIGN(terms.depth, within("depth", options->depth, defaults.depth, kMostDepth));
    terms.wait = options->wait;
    CW_TRY_ASSIGN(terms.executor, client::capi::executor_named(options->executor));
    return terms;
}

int check_making(const cw_partition* partition, const char* name, const void* out) noexcept {
    if (out == nullptr)
        return client::capi::missing(kNoPlace);
    if (partition == nullptr)
        return client::capi::missing(kNoPartition);
    if (name == nullptr)
        return client::capi::missing("no service or target given (NULL)");
    return partition->shared->here() ? CW_OK : client::capi::forked();
}

}  // namespace causeway::ipc::inner
