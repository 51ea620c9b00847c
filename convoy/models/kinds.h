// The build functions that catalog.cc lists, and what they share.
#pragma once

#include "convoy/models/catalog.h"

namespace convoy::models {

base::Result<graph::Graph> build_alexnet(const ModelRequest& request);
base::Result<graph::Graph> build_alexnet_owt(const ModelRequest& request);
base::Result<graph::Graph> build_cifar_resnet(const ModelRequest& request);
base::Result<graph::Graph> build_googlenet(const ModelRequest& request);
base::Result<graph::Graph> build_googlenet_aux(const ModelRequest& request);
base::Result<graph::Graph> build_gupta_cifar(const ModelRequest& request);
base::Result<graph::Graph> build_gupta_cnn(const ModelRequest& request);
base::Result<graph::Graph> build_gupta_mlp(const ModelRequest& request);
base::Result<graph::Graph> build_lenet5(const ModelRequest& request);
base::Result<graph::Graph> build_lenet5_paper(const ModelRequest& request);
base::Result<graph::Graph> build_linear(const ModelRequest& request);
base::Result<graph::Graph> build_mlp(const ModelRequest& request);
base::Result<graph::Graph> build_resnet(const ModelRequest& request);
base::Result<graph::Graph> build_sparse_autoencoder(const ModelRequest& request);
base::Result<graph::Graph> build_sparse_autoencoder_conv(const ModelRequest& request);
base::Result<graph::Graph> build_sparse_autoencoder_tied(const ModelRequest& request);
base::Result<graph::Graph> build_vgg(const ModelRequest& request);

// `size` times the request's width, rounded, at least 1.
std::int64_t scaled(const ModelRequest& request, std::int64_t size);

// Refuses an input that is no {C, H, W} of at least `least` x `least` pixels.
base::Verdict check_image(std::string_view model, const ModelRequest& request, std::int64_t least);

}  // namespace convoy::models
