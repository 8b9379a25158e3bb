define(['jquery'], function ($) {
  'use strict';

  var CustomWidget = function () {
    var self = this;

    var notify = function (text) {
      AMOCRM.notifications.show_message({ header: self.i18n('widget').name, text: text });
    };

    // The extension of the user who looks at the card; '' when the settings have none.
    var extension = function () {
      var phones = self.get_settings().phones || {};
      return String(phones[self.system().amouser_id] || '');
    };

    var call = function (params) {
      var settings = self.get_settings();
      var from = extension();

      if (!from) {
        notify(self.i18n('errors').no_extension);
        return;
      }
      self.crm_post(
        settings.script_path.replace(/\/+$/, '') + '/call',
        { login: settings.login, from: from, to: String(params.value).replace(/[^\d+]/g, '') },
        function () {},
        'json',
        function () { notify(self.i18n('errors').unreachable); }
      );
    };

    this.callbacks = {
      render: function () {
        return true;
      },
      init: function () {
        // Only who has an extension gets click-to-call.
        if (self.system().area !== 'settings' && extension()) {
          self.add_action('phone', call);
        }
        return true;
      },
      bind_actions: function () {
        return true;
      },
      settings: function ($modal_body) {
        $modal_body.find('input[name="script_path"]').attr('placeholder', 'https://');
        return true;
      },
      onSave: function (data) {
        // Fields are absent when the widget is only being switched off.
        var path = data && data.fields && data.fields.script_path;

        if (path && !/^https:\/\//i.test($.trim(path))) {
          notify(self.i18n('errors').path);
          return false;
        }
        return true;
      },
      destroy: function () {}
    };
    return this;
  };

  return CustomWidget;
});
