# A machine image with Parlance, its models and their snapshots: a machine that starts from it is ready in seconds.
#   packer init docs/deploy/parlance.pkr.hcl
#   packer build -var repository=https://git.example.org/parlance.git -var source_image=ami-… docs/deploy/parlance.pkr.hcl
# source_image: Debian 12 with an NVIDIA driver (580 or newer). HF_TOKEN is taken from the environment.
packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.3.0"
    }
  }
}

variable "repository" {
  type = string
}

variable "source_image" {
  type = string
}

variable "region" {
  type    = string
  default = "eu-central-1"
}

variable "machine" {
  type    = string
  default = "g6.xlarge"
}

variable "profile" {
  type    = string
  default = "gpu"
}

variable "hf_token" {
  type      = string
  default   = env("HF_TOKEN")
  sensitive = true
}

source "amazon-ebs" "gpu" {
  ami_name      = "parlance-${var.profile}-${formatdate("YYYYMMDD-hhmm", timestamp())}"
  instance_type = var.machine
  region        = var.region
  source_ami    = var.source_image
  ssh_username  = "admin"

  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_size           = 80
    volume_type           = "gp3"
    delete_on_termination = true
  }
}

build {
  sources = ["source.amazon-ebs.gpu"]

  provisioner "file" {
    source      = "${path.root}/install.sh"
    destination = "/tmp/install.sh"
  }

  provisioner "shell" {
    environment_vars = ["HF_TOKEN=${var.hf_token}"]
    execute_command  = "sudo env {{ .Vars }} bash '{{ .Path }}'"
    inline           = ["bash /tmp/install.sh ${var.repository} ${var.profile}"]
  }

  # No secret and no name of the machine that built the image goes into it: each machine makes its own key.
  provisioner "shell" {
    execute_command = "sudo env {{ .Vars }} bash '{{ .Path }}'"
    inline          = ["rm -rf /var/lib/parlance/* /tmp/install.sh", "cloud-init clean --logs"]
  }
}
