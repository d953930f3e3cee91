#!/usr/bin/env bash
# Parlance on a fresh Debian 12 machine, as root: what cloud-init.yaml and parlance.pkr.hcl both run.
#   install.sh REPOSITORY [starter|gpu] [DOMAIN]
# REPOSITORY is a git address or a folder. The gpu profile wants an NVIDIA driver (580 or newer) on the machine, and
# HF_TOKEN in the environment for the gated speaker models. DOMAIN: the public name, where a proxy on this machine ends
# TLS for it. Run again, it brings an installation up to date, and leaves the settings as they are.
set -euo pipefail

repository=${1:?usage: install.sh REPOSITORY [starter|gpu] [DOMAIN]}
profile=${2:-starter}
domain=${3:-}
home=/opt/parlance
environment=/etc/parlance.env

export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet
apt-get install --quiet --yes --no-install-recommends ca-certificates git make python3 python3-venv

id parlance >/dev/null 2>&1 || useradd --system --home-dir /var/lib/parlance --shell /usr/sbin/nologin parlance
install --directory --owner parlance --group parlance --mode 0700 /var/lib/parlance
if [ -d "$home/.git" ]; then
    git -C "$home" pull --ff-only
else
    git clone --depth 1 "$repository" "$home"
fi

cd "$home"
make .venv/.installed
libraries=
if [ "$profile" = gpu ]; then
    .venv/bin/python docs/deploy/requirements.py pyproject.toml gpu | .venv/bin/python -m pip install --requirement /dev/stdin
    libraries=$(.venv/bin/python -c 'import sysconfig; site = sysconfig.get_path("purelib"); print(f"{site}/nvidia/cublas/lib:{site}/nvidia/cudnn/lib")')
fi

if [ ! -e "$environment" ]; then
    install --mode 0640 --group parlance /dev/null "$environment"
    cat >"$environment" <<END
PARLANCE_DATA=/var/lib/parlance
PARLANCE_MODELS_DIR=$home/models
PARLANCE_PROFILE=$profile
LD_LIBRARY_PATH=$libraries
END
    if [ -n "$domain" ]; then
        cat >>"$environment" <<END
ALLOWED_HOSTS=$domain,127.0.0.1
PARLANCE_ORIGINS=https://$domain
PARLANCE_HTTPS=1
PARLANCE_PROXIES=127.0.0.1
END
    fi
fi
set -a
. "$environment"
set +a

# Root writes the models once; the processes only read them. No GPU is needed for either. Snapshots are of the networks
# that PyTorch loads one by one: those of the speakers.
case $profile in
    gpu) speakers=speaker-diarization-community-1 ;;
    *) speakers=segmentation-campplus ;;
esac
build=$(mktemp --directory)
PARLANCE_DATA=$build PARLANCE_DEVICE=cpu .venv/bin/python manage.py models fetch
PARLANCE_DATA=$build PARLANCE_DEVICE=cpu .venv/bin/python manage.py models snapshot "$speakers"
rm -r "$build"

install --mode 0644 docs/deploy/systemd/*.service /etc/systemd/system/
systemctl enable parlance.service
