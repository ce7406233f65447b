// EXPECT_FORMAT_ERROR(statement, offset, field, value): the statement throws that FormatError.
#pragma once

#include <gtest/gtest.h>

#include "libxdna/image/error.hpp"

#define EXPECT_FORMAT_ERROR(statement, expected_offset, expected_field, expected_value) \
    try {                                                                               \
        (void)(statement);                                                              \
        ADD_FAILURE() << "no error";                                                    \
    } catch (const xdna::image::FormatError& e) {                                       \
        EXPECT_EQ(e.offset(), static_cast<uint64_t>(expected_offset)) << e.what();      \
        EXPECT_EQ(e.field(), expected_field) << e.what();                               \
        EXPECT_EQ(e.value(), static_cast<uint64_t>(expected_value)) << e.what();        \
    }                                                                                   \
    static_assert(true, "takes the semicolon")
