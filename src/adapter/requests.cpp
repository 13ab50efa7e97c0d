#include "adapter/requests.hpp"

#include <fmt/format.h>

#include <array>

namespace causeway::adapter {
namespace {

enum class Takes { nothing, descriptor };

struct Handler {
    abi::Request request;
    Takes takes;
    Answer (*run)(Call&);
    bool resumes = false;  // only between attach and resume_done
};

constexpr std::array kHandlers = {
    Handler{abi::Request::open_doorbell, Takes::nothing, open_doorbell},
    Handler{abi::Request::wakeup_socket, Takes::nothing, wakeup_socket},
    Handler{abi::Request::close_doorbell, Takes::nothing, close_doorbell},
    Handler{abi::Request::register_region, Takes::descriptor, register_region},
    Handler{abi::Request::deregister_region, Takes::nothing, deregister_region},
    Handler{abi::Request::narrow_region, Takes::nothing, narrow_region},
    Handler{abi::Request::region_status, Takes::nothing, region_status},
    Handler{abi::Request::create_queue_pair, Takes::nothing, create_queue_pair},
    Handler{abi::Request::listen, Takes::nothing, listen},
    Handler{abi::Request::close_listener, Takes::nothing, close_listener},
    Handler{abi::Request::connect, Takes::nothing, connect},
    Handler{abi::Request::accept, Takes::nothing, accept},
    Handler{abi::Request::disconnect, Takes::nothing, disconnect},
    Handler{abi::Request::open_direct, Takes::nothing, open_direct},
    Handler{abi::Request::resolve, Takes::nothing, resolve},
    Handler{abi::Request::explain, Takes::nothing, explain},
    Handler{abi::Request::stats, Takes::nothing, stats},
    Handler{abi::Request::bus, Takes::nothing, bus},
    Handler{abi::Request::resume_doorbell, Takes::descriptor, resume_doorbell, true},
    Handler{abi::Request::resume_region, Takes::descriptor, resume_region, true},
    Handler{abi::Request::resume_queue_pair, Takes::descriptor, resume_queue_pair, true},
    Handler{abi::Request::resume_done, Takes::nothing, resume_done, true},
    Handler{abi::Request::open_segment, Takes::nothing, open_segment},
    Handler{abi::Request::copy_segment, Takes::nothing, copy_segment},
    Handler{abi::Request::close_segment, Takes::nothing, close_segment},
    Handler{abi::Request::segment_status, Takes::nothing, segment_status},
    Handler{abi::Request::resume_segment, Takes::descriptor, resume_segment, true},
};

}  // namespace

Answer handle(Call& call) {
    const auto type = static_cast<abi::Request>(call.header.type);
    if (type == abi::Request::attach)
        return fail(ErrorCode::wrong_state, "this connection is attached already");
    for (const Handler& handler : kHandlers) {
        if (handler.request != type)
            continue;
        if (call.partition == nullptr && type != abi::Request::stats && type != abi::Request::bus) {
            return fail(ErrorCode::denied,
                        fmt::format("{}: an observer may only ask for stats and the bus: attach as "
                                    "a partition",
                                    control::request_name(call.header.type)));
        }
        if (handler.takes == Takes::nothing && call.descriptor) {
            return fail(ErrorCode::protocol, fmt::format("{} came with a descriptor but takes none",
                                                         control::request_name(call.header.type)));
        }
        if (call.partition != nullptr) {
            if (handler.resumes != (call.partition->resuming != nullptr)) {
                return fail(
                    ErrorCode::wrong_state,
                    fmt::format("{}: partition {} is {}", control::request_name(call.header.type),
                                call.partition->name,
                                handler.resumes ? "not resuming" : "still resuming"));
            }
            // A next request proves that the answer to the last one was read.
            call.partition->cell->unconfirmed_listener = 0;
        }
        return handler.run(call);
    }
    return fail(ErrorCode::protocol,
                fmt::format("request type {} is unknown to this adapter (protocol {}.{})",
                            call.header.type, abi::kMajor, abi::kMinor));
}

}  // namespace causeway::adapter
