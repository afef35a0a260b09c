#pragma once

#include "api/envelope.h"
#include "net/http.h"
#include "storage/storage.h"

// /api/v1/series, /labels and /label/<name>/values: what is stored, without samples.

namespace sonde::api {

Answer SeriesAnswer(const storage::Queryable& store, const net::Query& parameters);
Answer LabelNamesAnswer(const storage::Queryable& store, const net::Query& parameters);
/// `name` is the path element: a label name, maybe escaped as `U__…`.
Answer LabelValuesAnswer(const storage::Queryable& store, const net::Query& parameters,
                         std::string_view name);

}  // namespace sonde::api
